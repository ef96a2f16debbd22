"""The API server: alone on a directory of its own (``switchboard apiserver``), and within an embedded cluster.

In: options.  Out: an HTTPS server until SIGTERM or SIGINT.  The directory keeps the objects, the certificate
authority, the key of tokens and the kubeconfig; everything in it is for its owner alone.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import secrets
import signal
import socket
import ssl
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from switchboard.api.access import bootstrap
from switchboard.api.access.accounts import AccountTokens
from switchboard.api.access.identity import MASTERS, StaticTokens, User
from switchboard.api.admission import KubernetesAdmission
from switchboard.api.crds.admission import CustomResources
from switchboard.api.crds.upkeep import Upkeep
from switchboard.api.server.router import ApiServer
from switchboard.api.store import Store
from switchboard.apply.certificates import CERTIFICATE_FILE, CertificateAuthority, KeyPair
from switchboard.apply.sqlite_storage import SqliteStorage
from switchboard.apply.tokens import TokenKey
from switchboard.base.errors import MachineError, UsageError
from switchboard.cli.ports import ApiOptions
from switchboard.run.home import Home
from switchboard.run.kubeconfig import kubeconfig, write_private
from switchboard.run.pod_runtime import LocalPods
from switchboard.run.population import now
from switchboard.serve.kubernetes import KubernetesServer, tls

DATABASE: Final = "objects.db"
KUBECONFIG: Final = "kubeconfig"
ADMINISTRATOR: Final = "kubernetes-admin"
_SERVICE_NAMES: Final = ("kubernetes", "kubernetes.default", "kubernetes.default.svc",
                         "kubernetes.default.svc.cluster.local")  # fmt: skip


def serve(options: ApiOptions, ready: Callable[[str, Path], None]) -> int:
    """Runs until it is told to stop; ``ready`` learns the address and the kubeconfig. Raises MachineError."""
    directory = options.data_dir
    _make(directory)
    listener = _listen(options.host, options.port)
    return asyncio.run(_serve(options, directory, listener, ready))


async def _serve(
    options: ApiOptions, directory: Path, listener: socket.socket, ready: Callable[[str, Path], None]
) -> int:
    host, port = listener.getsockname()[:2]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    storage = SqliteStorage(directory / DATABASE)
    try:
        admission = KubernetesAdmission(service_cidrs=options.service_cidrs)
        store = new_store(admission, storage)
        users = {token: User("admin", (MASTERS,)) for token in options.tokens}
        api = api_over(store, TokenKey.load_or_create(directory), StaticTokens(users), address)
        authority = authority_of(directory)
        pair = serving_pair(authority, [host, *_first_addresses(options.service_cidrs)], now())
        server = KubernetesServer(api, context_of(pair, authority, directory))
        file = directory / KUBECONFIG
        admin = authority.issue_client(ADMINISTRATOR, [MASTERS], now())
        write_private(file, kubeconfig(f"https://{address}", authority.certificate, admin))
        await server.start(listener)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        storage.pipeline(asyncio.get_running_loop().call_soon_threadsafe)
        ready(f"https://{address}", file)
        await stop.wait()
        await server.stop()
    finally:
        storage.close()
    return 0


async def serve_within(store: Store, listener: socket.socket, home: Path) -> KubernetesServer:
    """Serves the API over an embedded cluster's store, on a socket made elsewhere; writes the kubeconfig into home."""
    directory = home / "api"
    directory.mkdir(mode=0o700, exist_ok=True)
    host, port = listener.getsockname()[:2]
    address = f"{host}:{port}"
    authority = authority_of(directory)
    pair = serving_pair(authority, [host], now())
    api = api_over(store, TokenKey.load_or_create(directory), StaticTokens({}), address)
    server = KubernetesServer(api, context_of(pair, authority, directory), LocalPods(Home(home), os.environ))
    admin = authority.issue_client(ADMINISTRATOR, [MASTERS], now())
    write_private(home / KUBECONFIG, kubeconfig(f"https://{address}", authority.certificate, admin))
    await server.start(listener)
    return server


def new_store(admission: KubernetesAdmission, storage: SqliteStorage | None = None) -> Store:
    """A store with what every cluster has, roles included."""
    store = Store(
        clock=now,
        uid=lambda: str(uuid.uuid4()),
        randrange=secrets.randbelow,
        admission=CustomResources(admission),
        storage=storage,
    )
    bootstrap.start(store)
    store.subscribe(Upkeep(store).run)
    return store


def api_over(store: Store, key: TokenKey, static: StaticTokens, address: str) -> ApiServer:
    """The API over a store."""
    tokens = AccountTokens(store, key.sign, key.claims, lambda: str(uuid.uuid4()))
    return ApiServer(store, [static, tokens.user], sign=tokens.sign, address=address)


def authority_of(directory: Path) -> CertificateAuthority:
    """The directory's own authority, made at the first start."""
    if (directory / CERTIFICATE_FILE).exists():
        return CertificateAuthority.load(directory)
    made = CertificateAuthority.create("Switchboard API server", now())
    made.save(directory)
    return made


def serving_pair(authority: CertificateAuthority, hosts: Sequence[str], at: datetime) -> KeyPair:
    """The server's certificate for its addresses and its names within the cluster."""
    return authority.issue(["localhost", "127.0.0.1", *_SERVICE_NAMES, *hosts], at)


def context_of(pair: KeyPair, authority: CertificateAuthority, directory: Path) -> ssl.SSLContext:
    """TLS with a certificate; it passes through a file because ssl reads nothing else."""
    chain, key = directory / "apiserver.crt", directory / "apiserver.key"
    write_private(chain, pair.chain)
    write_private(key, pair.key)
    return tls(str(chain), str(key), authority.certificate)


def _first_addresses(cidrs: Sequence[str]) -> list[str]:
    return [str(ipaddress.ip_network(cidr).network_address + 1) for cidr in cidrs]


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
    except OSError as error:
        raise MachineError(
            "no-data-directory", f"The data directory cannot be used: {error.strerror}.", context=str(directory)
        ) from error
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise MachineError(
            "unsafe-data-directory",
            "The data directory belongs to somebody else or others may write to it.",
            context=str(directory),
            hint="Name another one with --data-dir.",
        )


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise UsageError("cannot-listen", f"{host}:{port} cannot be listened on: {reason}.") from error
    return listener
