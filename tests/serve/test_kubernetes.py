import asyncio
import contextlib
import io
import json
import socket
import ssl
from datetime import UTC, datetime

import aiohttp
import pytest

from switchboard.api.access import bootstrap
from switchboard.api.access.identity import MASTERS, StaticTokens, User
from switchboard.api.server.request import MAX_BODY
from switchboard.api.server.router import ApiServer
from switchboard.api.store import Store
from switchboard.apply.certificates import CertificateAuthority
from switchboard.serve import kubernetes
from switchboard.serve.kubernetes import Changes, KubernetesServer, tls

NOW = datetime.now(UTC)
MAPS = "/api/v1/namespaces/default/configmaps"
ADMIN = {"Authorization": "Bearer t"}


@pytest.fixture(scope="module")
def authority():
    return CertificateAuthority.create("test", NOW)


def make_store():
    numbers = iter(range(1, 100_000))
    store = Store(clock=lambda: datetime.now(UTC), uid=lambda: f"u{next(numbers)}", randrange=lambda n: 0)
    bootstrap.start(store)
    return store


@contextlib.asynccontextmanager
async def serving(authority, directory, store):
    pair = authority.issue(["127.0.0.1"], NOW)
    (directory / "c").write_text(pair.chain)
    (directory / "k").write_text(pair.key)
    api = ApiServer(store, [StaticTokens({"t": User("admin", (MASTERS,))})])
    server = KubernetesServer(api, tls(str(directory / "c"), str(directory / "k"), authority.certificate))
    listener = socket.create_server(("127.0.0.1", 0))
    await server.start(listener)
    context = ssl.create_default_context(cadata=authority.certificate)
    base = f"https://127.0.0.1:{listener.getsockname()[1]}"
    try:
        async with aiohttp.ClientSession(base, connector=aiohttp.TCPConnector(ssl=context)) as session:
            yield session, base
    finally:
        await server.stop()


def test_requests_and_watches_over_tls(authority, tmp_path):
    async def play():
        store = make_store()
        async with serving(authority, tmp_path, store) as (session, _):
            assert (await session.get("/healthz")).status == 200
            assert (await session.get(MAPS)).status == 403
            watching = await session.get(MAPS, params={"watch": "1"}, headers=ADMIN)
            made = await session.post(MAPS, json={"metadata": {"name": "m"}}, headers=ADMIN)
            assert made.status == 201
            async with asyncio.timeout(10):
                line = await watching.content.readline()
            assert json.loads(line)["object"]["metadata"]["name"] == "m"
            watching.close()

    asyncio.run(play())


def test_a_client_certificate_is_a_user(authority, tmp_path):
    async def play():
        pair = authority.issue_client("ann", [MASTERS], NOW)
        (tmp_path / "client").write_text(pair.chain + pair.key)
        async with serving(authority, tmp_path, make_store()) as (_, base):
            context = ssl.create_default_context(cadata=authority.certificate)
            context.load_cert_chain(tmp_path / "client")
            async with aiohttp.ClientSession(base, connector=aiohttp.TCPConnector(ssl=context)) as session:
                assert (await session.get(MAPS)).status == 200
                found = await session.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json={})
                assert (await found.json())["status"]["userInfo"]["username"] == "ann"

    asyncio.run(play())


def test_a_body_that_is_too_large(authority, tmp_path):
    async def play():
        async with serving(authority, tmp_path, make_store()) as (session, _):
            answer = await session.post(MAPS, data=io.BytesIO(b"x" * (MAX_BODY + 1)), headers=ADMIN)
            assert answer.status == 413
            assert (await answer.json())["message"] == "Request entity too large: limit is 3145728"

    asyncio.run(play())


def test_who_does_not_read_is_dropped(authority, tmp_path, monkeypatch):
    monkeypatch.setattr(kubernetes, "WRITE_SECONDS", 0.2)

    async def play():
        store = make_store()
        async with serving(authority, tmp_path, store) as (_, base):
            context = ssl.create_default_context(cadata=authority.certificate)
            host, port = base.removeprefix("https://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port), ssl=context, limit=1024)
            writer.write(f"GET {MAPS}?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n\r\n".encode())
            await reader.readline()
            for i in range(400):
                store.create({"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": "y" * 50_000},
                              "metadata": {"name": f"m{i}", "namespace": "default"}})  # fmt: skip
            # The reader's transport is paused by its small limit; the server ends the connection in the end.
            async with asyncio.timeout(20):
                while not server_side_closed(writer):
                    await asyncio.sleep(0.05)
            writer.transport.abort()

    def server_side_closed(writer):
        found = writer.get_extra_info("socket")
        state = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state != 1  # TCP_ESTABLISHED

    asyncio.run(play())


def test_changes_wake_all_who_wait():
    async def play():
        store = make_store()
        changes = Changes(store)
        waiting = [asyncio.create_task(changes.wait(10)) for _ in range(3)]
        await asyncio.sleep(0)
        store.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})
        assert await asyncio.gather(*waiting) == [True] * 3
        assert await changes.wait(0) is False
        changes.close()

    asyncio.run(play())
