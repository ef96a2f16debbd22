"""A real Envoy on loopback, echoing pods beside it, and the recorded cases played against both.

Everything lives in one process and one child: pods are asyncio servers in a thread, each on an address of its own in
127.0.0.0/8, Envoy listens on ports that the kernel chose.  Nothing of the host's network is changed.
"""

import asyncio
import contextlib
import copy
import datetime
import http.client
import itertools
import json
import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from switchboard.apply import envoy
from switchboard.apply.envoy_admin import Admin
from switchboard.base.findings import Finding
from switchboard.compile import gateway as compiler
from switchboard.compile.gateway import KeyPair, Settings
from switchboard.rules.discovery import EnvoyConfig
from switchboard.view.build import routes
from switchboard.view.model import View
from switchboard.view.route import Gateway
from switchboard.view.service import Endpoint, ServicePort

CLASS = {
    "kind": "IngressClass",
    "metadata": {"name": "nginx"},
    "spec": {"controller": "k8s.io/ingress-nginx"},
}
CORPUS_CLASS = {**CLASS, "metadata": {"name": "corpus-ingress"}}


def key_pair(*names: str) -> KeyPair:
    """A self-signed certificate for DNS names."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    start = datetime.datetime(2026, 1, 1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM).decode(), key.private_bytes(*form).decode())


class Answer:
    """What a client saw; ``echo`` is the pod's own account, None when the gateway answered itself."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes, certificate: bytes | None) -> None:
        self.status, self.headers, self.body, self.certificate = status, headers, body, certificate
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        self.echo: dict[str, Any] | None = found if isinstance(found, dict) and "service" in found else None

    def header(self, name: str) -> str | None:
        """One response header, repeated ones joined."""
        return ", ".join(v for k, v in self.headers if k.lower() == name.lower()) or None

    @property
    def backend(self) -> str:
        """``namespace/service`` of the pod, empty for the gateway."""
        return str(self.echo["service"]) if self.echo else ""


class Pods:
    """Echoing pods in a thread; every pod has an address of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        first = 64 + os.getpid() % 128
        self._addresses = (f"127.{first + n // 62500}.{n // 250 % 250 + 1}.{n % 250 + 1}" for n in itertools.count())
        self._servers: dict[str, list[asyncio.Server]] = {}

    def start(self, service: str, pod: str, ports: Sequence[int], tls: KeyPair | None = None) -> str:
        """Starts a pod and returns its address."""
        address = next(self._addresses)
        self._run(self._start(address, service, pod, ports, tls))
        return address

    def stop(self, address: str) -> None:
        """Ends a pod: it accepts no more connections and drops those that it has."""
        self._run(self._stop(address))

    def close(self) -> None:
        """Ends everything."""
        for address in list(self._servers):
            self.stop(address)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _start(self, address: str, service: str, pod: str, ports: Sequence[int], tls: KeyPair | None) -> None:
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
                file.write(tls.chain + "\n" + tls.key)
                file.flush()
                context.load_cert_chain(file.name)
        self._servers[address] = []
        for port in ports:

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int = port) -> None:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
                    while await _exchange(reader, writer, service, pod, port):
                        pass
                writer.close()

            self._servers[address].append(await asyncio.start_server(serve, address, port, ssl=context))

    async def _stop(self, address: str) -> None:
        for server in self._servers.pop(address):
            server.close()
            await asyncio.sleep(0)


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, service: str, pod: str, port: int
) -> bool:
    """One request and its answer; false when the connection is over."""
    first = await reader.readexactly(1)
    if first == b"\x16":
        return False  # a TLS handshake, which a plain server ends at once
    head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers: dict[str, str] = {}
    for line in filter(None, head[1:]):
        name, _, value = line.partition(":")
        known = headers.get(name.lower())
        headers[name.lower()] = f"{known}, {value.strip()}" if known else value.strip()
    body = b""
    if "chunked" in headers.get("transfer-encoding", ""):
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    await asyncio.sleep(int(headers.get("x-echo-delay-ms", 0)) / 1000)
    told = {"service": service, "pod": pod, "port": port, "method": method, "path": path, "headers": headers}
    told["clientIP"] = headers.get("x-real-ip") or headers.get("x-forwarded-for", "").split(",")[0]
    data = json.dumps({**told, "bodyLength": len(body)}).encode()
    extra = "".join(f"{k}: {v}\r\n" for k, v in json.loads(headers.get("x-echo-headers", "{}")).items())
    status = int(headers.get("x-echo-status", 200))
    answer = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n{extra}\r\n"
    writer.write(answer.encode() + (b"" if method == "HEAD" else data))
    await writer.drain()
    return True


class Rig:
    """One Envoy; ``apply`` gives it the gateways of some objects, ``request`` is a client."""

    def __init__(self, directory: Path) -> None:
        self.config_directory, self.pod_directory = str(directory / "config"), str(directory / "pod")
        self.pods = Pods()
        self.default = key_pair("default.invalid")
        self.http_port, self.https_port = _free_ports(2)
        self.settings = Settings(
            address="127.0.0.1",
            http_port=self.http_port,
            https_port=self.https_port,
            default_certificate=self.default,
        )
        envoy.write(compiler.compile(Gateway(name="empty"), View(), self.settings)[0], self.config_directory)
        self.admin = Admin(self.pod_directory)
        command = envoy.argv(self.config_directory, self.pod_directory, node="test")
        self.access_log = directory / "access.log"
        with self.access_log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self.until(self.admin.ready)

    def until(self, condition: Any) -> None:
        """Waits for a condition, at most ten seconds."""
        end = time.monotonic() + 10
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{condition} never came: {self.log()}")
            time.sleep(0.002)

    def log(self) -> str:
        """Envoy's own log."""
        return (Path(self.pod_directory) / envoy.LOG).read_text(errors="replace")

    def close(self) -> None:
        """Ends Envoy and the pods."""
        self.process.terminate()
        self.process.wait(20)
        self.pods.close()

    def publish(self, config: EnvoyConfig) -> tuple[envoy.Rejected, ...]:
        """Gives Envoy a configuration; what it rejected."""
        return envoy.publish(config, self.config_directory, [self.admin])[1]

    def apply(
        self, objects: Mapping[str, Sequence[dict[str, Any]]], services: tuple[ServicePort, ...]
    ) -> tuple[Finding, ...]:
        """Gives Envoy the gateway of these objects, which it must accept."""
        gateways, findings = routes.build(objects, services)
        gateway = gateways[0] if gateways else Gateway(name="empty")
        config, more = compiler.compile(gateway, View(services=services), self.settings)
        assert self.publish(config) == ()
        return (*findings, *more)

    def request(
        self,
        host: str | None,
        path: str = "/",
        *,
        scheme: str = "http",
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        sni: str | None = None,
        source: str = "127.0.0.1",
        connection: http.client.HTTPConnection | None = None,
    ) -> Answer:
        """One request; without ``connection`` on a connection of its own."""
        client = connection or self.connect(scheme, sni if sni is not None else host or "", source)
        try:
            client._validate_path = lambda _: None  # raw paths are wanted
            client.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            if host is not None:
                client.putheader("Host", host)
            for name, value in headers:
                client.putheader(name, value)
            if body is not None:
                client.putheader("Content-Length", str(len(body)))
            client.endheaders(body)
            answer = client.getresponse()
            certificate = client.sock.getpeercert(binary_form=True) if isinstance(client.sock, ssl.SSLSocket) else None
            return Answer(answer.status, answer.getheaders(), answer.read(), certificate)
        finally:
            if connection is None:
                client.close()

    def connect(
        self, scheme: str = "http", sni: str = "", source: str = "127.0.0.1", alpn: Sequence[str] = ("http/1.1",)
    ) -> http.client.HTTPConnection:
        """A connection to the gateway."""
        port = self.https_port if scheme == "https" else self.http_port
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        client.sock = socket.create_connection(("127.0.0.1", port), 20, source_address=(source, 0))
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if scheme == "https":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(list(alpn))
            try:
                client.sock = context.wrap_socket(client.sock, server_hostname=sni.partition(":")[0] or None)
            except BaseException:
                client.sock.close()
                raise
        return client


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for each in sockets:
        each.close()
    return ports


class Cluster:
    """The objects of a recorded case with pods that run: what controllers would make of them."""

    def __init__(self, rig: Rig, objects: Sequence[dict[str, Any]], *, staged: bool = False) -> None:
        self._rig = rig
        self.objects: dict[str, list[dict[str, Any]]] = {"IngressClass": [CLASS, CORPUS_CLASS]}
        for number, original in enumerate(objects):
            each = copy.deepcopy(original)
            if staged:
                each["metadata"]["creationTimestamp"] = f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"
            self.objects.setdefault(each["kind"], []).append(each)
        self.addresses: list[str] = []
        self._pods = [(pod, self._start(pod)) for pod in self.objects.get("Pod", [])]
        self.services = tuple(p for s in self.objects.get("Service", []) for p in self._ports(s))

    def close(self) -> None:
        """Ends the pods."""
        for address in self.addresses:
            self._rig.pods.stop(address)

    def _start(self, pod: dict[str, Any]) -> str:
        space, labels = pod["metadata"]["namespace"], pod["metadata"].get("labels", {})
        service = next((s for s in self.objects["Service"] if _selects(s, pod)), None)
        name = service["metadata"]["name"] if service else labels.get("app", "")
        ports = [p["containerPort"] for c in pod["spec"]["containers"] for p in c.get("ports", [])]
        if service:
            ports += [_target(p, pod) for p in service["spec"]["ports"]]
        behaviour = json.loads(pod["metadata"].get("annotations", {}).get("corpus.test/echo", "{}"))
        tls = self._key_pair(space, behaviour["tls"]) if "tls" in behaviour else None
        address = self._rig.pods.start(f"{space}/{name}", pod["metadata"]["name"], sorted(set(ports)), tls)
        self.addresses.append(address)
        return address

    def _key_pair(self, space: str, name: str) -> KeyPair:
        import base64

        for secret in self.objects["Secret"]:
            if (secret["metadata"]["namespace"], secret["metadata"]["name"]) == (space, name):
                return KeyPair(*(base64.b64decode(secret["data"][f"tls.{part}"]).decode() for part in ("crt", "key")))
        raise KeyError(name)

    def _ports(self, service: dict[str, Any]) -> Iterator[ServicePort]:
        pods = [(pod, address) for pod, address in self._pods if _selects(service, pod)]
        for port in service["spec"]["ports"]:
            yield ServicePort(
                namespace=service["metadata"]["namespace"],
                name=service["metadata"]["name"],
                port_name=port.get("name", ""),
                protocol=port.get("protocol", "TCP"),
                port=port["port"],
                endpoints=tuple(Endpoint(address, _target(port, pod)) for pod, address in pods),
            )


def _selects(service: dict[str, Any], pod: dict[str, Any]) -> bool:
    wanted, labels = service["spec"].get("selector"), pod["metadata"].get("labels", {})
    same_space = service["metadata"]["namespace"] == pod["metadata"]["namespace"]
    return bool(wanted) and same_space and all(labels.get(k) == v for k, v in wanted.items())


def _target(port: dict[str, Any], pod: dict[str, Any]) -> int:
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    return next(p["containerPort"] for c in pod["spec"]["containers"] for p in c["ports"] if p.get("name") == target)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One Envoy for all tests of a module."""
    # The path of a Unix socket is limited to 107 bytes, which pytest's own directories may exceed.
    with tempfile.TemporaryDirectory(prefix="gateway-") as directory:
        made = Rig(Path(directory))
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def make_key_pair() -> Any:
    """Makes self-signed certificates."""
    return key_pair


@pytest.fixture
def cluster(rig: Rig) -> Iterator[Any]:
    """Makes clusters of objects, and ends their pods after the test."""
    with contextlib.ExitStack() as stack:

        def make(objects: Sequence[dict[str, Any]], *, staged: bool = False) -> Cluster:
            made = Cluster(rig, objects, staged=staged)
            stack.callback(made.close)
            return made

        yield make
