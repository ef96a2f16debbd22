"""Stand-ins before real clients over loopback: curl, OpenSSL, wsproto, h2; and the recorded answers of a backend."""

import asyncio
import json
import random
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvloop
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded, TrailersReceived
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Request, TextMessage

from switchboard.apply.certificates import CertificateAuthority, self_signed
from switchboard.k8s.names import STANDIN_PREFIX
from switchboard.serve.standin.answer import PodFacts
from switchboard.serve.standin.behaviour import ECHO, read_behaviour
from switchboard.serve.standin.program import StandIn

pytestmark = pytest.mark.live

RECORDED = json.loads((Path(__file__).parents[1] / "cases/standin/echo.json").read_text())
POD = PodFacts(namespace="shop", name="web-0", node="node-a", zone="zone-1", ip="127.0.0.1", service="web")


class Cluster:
    """Stand-ins on a loop of their own, in a thread."""

    def __init__(self):
        self.loop = uvloop.new_event_loop()
        self.faults, self.standins = [], []
        self.loop.set_exception_handler(lambda loop, context: self.faults.append(context))
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        now = datetime.now(UTC)
        self.authority = CertificateAuthority.create("live test", now)
        self.pairs = {
            "": self_signed(["web-0.shop.pod"], now),
            "app-tls": self.authority.issue(["shop.test", "localhost"], now),
        }

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def pod(self, **annotations):
        """Starts a pod with one TCP port and gives its stand-in and the port."""
        values = {
            ECHO if key == "echo" else STANDIN_PREFIX + key.replace("_", "-"): value
            for key, value in annotations.items()
        }
        behaviour, findings = read_behaviour(values, "shop/web-0")
        assert findings == ()
        sock = socket.create_server(("127.0.0.1", 0))

        async def start():
            standin = StandIn(POD, behaviour, self.pairs.get, random.Random(1), time.time)
            await standin.start([sock], [])
            return standin

        port = sock.getsockname()[1]
        self.standins.append(self.run(start()))
        return self.standins[-1], port

    def stop(self):
        for standin in self.standins:
            self.run(standin.terminate(0))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        assert self.faults == []


@pytest.fixture(scope="module")
def cluster():
    cluster = Cluster()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def trust(cluster, tmp_path_factory):
    file = tmp_path_factory.mktemp("trust") / "ca.crt"
    file.write_text(cluster.authority.certificate)
    return file


def curl(*arguments, data=None):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = ["curl", "--silent", "--show-error", "--max-time", "20", *map(str, arguments)]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def exchange(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(data)
        parts = []
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.fixture(scope="module")
def recorded_pod(cluster):
    return cluster.pod(echo=json.dumps(RECORDED["behaviour"]))[1]


@pytest.mark.parametrize("case", RECORDED["exchanges"], ids=lambda case: case["name"])
def test_answers_are_those_recorded_of_the_gateway_cases_backend(recorded_pod, case):
    got = exchange(recorded_pod, case["request"].encode("latin-1"))
    if case["status"] is None:
        assert got == b""
        return
    head, _, body = got.partition(b"\r\n\r\n")
    line, *headers = head.decode("latin-1").split("\r\n")
    assert int(line.split()[1]) == case["status"]
    framing = ("Date", "Content-Length", "Connection")
    assert sorted(header for header in headers if header.split(":")[0] not in framing) == case["headers"]
    if case["document"] is None:
        assert body == b""
    else:
        document = json.loads(body)
        assert {key: document.get(key) for key in case["document"]} == case["document"]


@pytest.mark.parametrize(
    ("option", "protocol"),
    [
        ("--http1.0", "HTTP/1.0"),
        ("--http1.1", "HTTP/1.1"),
        ("--http2", "HTTP/1.1"),
        ("--http2-prior-knowledge", "HTTP/2"),
    ],
)
def test_curl_in_clear_text(cluster, option, protocol):
    _, port = cluster.pod()
    document = json.loads(curl(option, f"http://127.0.0.1:{port}/a?b=c", "-d", "hello"))
    assert (document["protocol"], document["tls"], document["path"]) == (protocol, False, "/a?b=c")
    assert (document["body"], document["service"], document["port"]) == ("hello", "shop/web", port)


@pytest.mark.parametrize(("option", "protocol"), [("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2")])
def test_curl_over_tls_trusts_the_secret(cluster, trust, option, protocol):
    _, port = cluster.pod(tls_secret="app-tls")
    document = json.loads(curl(option, "--cacert", trust, f"https://localhost:{port}/"))
    assert (document["protocol"], document["tls"]) == (protocol, True)


def test_keep_alive_uses_one_connection(cluster):
    standin, port = cluster.pod()
    curl(*[f"http://127.0.0.1:{port}/{number}" for number in range(5)])
    assert (standin.counts["connections"], standin.counts["200"]) == (1, 5)


@pytest.mark.parametrize("option", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.parametrize("size", [100, 3_000_000])
def test_uploads(cluster, option, size):
    """curl sends a file of unknown length in chunks, and asks to continue."""
    _, port = cluster.pod()
    url = f"http://127.0.0.1:{port}/"
    document = json.loads(curl(option, "-T", "-", "-H", "Expect: 100-continue", url, data=b"x" * size))
    assert (document["method"], document["bodyLength"]) == ("PUT", size)


def test_chunked_download_and_head(cluster):
    _, port = cluster.pod()
    url = f"http://127.0.0.1:{port}/"
    assert b"transfer-encoding: chunked" in curl("-i", "-H", "x-echo-chunks: 7", url).lower()
    assert json.loads(curl("-H", "x-echo-chunks: 7", url))["pod"] == "web-0"
    assert curl("-I", url).startswith(b"HTTP/1.1 200 OK")


def test_a_refused_upload_reads_its_answer(cluster):
    standin, port = cluster.pod()
    standin.limits = type(standin.limits)(body=1000)
    for option in ("--http1.1", "--http2-prior-knowledge"):
        url = f"http://127.0.0.1:{port}/"
        shown = ("-o", "/dev/null", "-w", "%{http_code}")
        assert curl(option, *shown, "-H", "Expect:", "--data-binary", "@-", url, data=b"x" * 2_000_000) == b"413"


def test_any_port_answers_tls_with_a_certificate_of_the_pods_own(cluster):
    _, port = cluster.pod()
    context = ssl.create_default_context(cadata=cluster.pairs[""].chain)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as raw,
        context.wrap_socket(raw, server_hostname="web-0.shop.pod") as sock,
    ):
        sock.sendall(b"hello")
        assert sock.recv(100) == b"hello"


def test_plain_text_is_refused_beside_a_secret_but_for_other_ports(cluster):
    _, port = cluster.pod(tls_secret="app-tls")
    assert exchange(port, b"GET / HTTP/1.1\r\n\r\n") == b""
    _, port = cluster.pod(tls_secret="app-tls", tls_ports="1")
    assert exchange(port, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("secure", [False, True])
def test_websocket(cluster, secure):
    _, port = cluster.pod()
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    if secure:
        context = ssl.create_default_context(cadata=cluster.pairs[""].chain)
        sock = context.wrap_socket(sock, server_hostname="web-0.shop.pod")
    client, events = WSConnection(ConnectionType.CLIENT), []
    with sock:
        messages = [TextMessage(data="電話 " * 20_000), BytesMessage(data=bytes(100_000)), CloseConnection(code=1000)]
        sock.sendall(client.send(Request(host="shop.test", target="/")))
        while not any(isinstance(event, CloseConnection) for event in events):
            client.receive_data(sock.recv(65536) or None)
            new = list(client.events())
            if any(isinstance(event, AcceptConnection) for event in new):
                for message in messages:
                    sock.sendall(client.send(message))
            events += new
    assert "".join(event.data for event in events if isinstance(event, TextMessage)) == messages[0].data
    assert b"".join(event.data for event in events if isinstance(event, BytesMessage)) == messages[1].data


def test_grpc_health_over_tls(cluster, trust):
    _, port = cluster.pod(tls_secret="app-tls")
    context = ssl.create_default_context(cafile=trust)
    context.set_alpn_protocols(["h2"])
    client, message, trailers = H2Connection(H2Configuration(header_encoding="utf-8")), b"", {}
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as sock,
    ):
        assert sock.selected_alpn_protocol() == "h2"
        client.initiate_connection()
        path = (":path", "/grpc.health.v1.Health/Check")
        fields = [(":method", "POST"), path, (":scheme", "https"), (":authority", "localhost"),
                  ("content-type", "application/grpc"), ("te", "trailers")]  # fmt: skip
        client.send_headers(1, fields)
        client.send_data(1, bytes(5), end_stream=True)
        ended = False
        while not ended:
            sock.sendall(client.data_to_send())
            for event in client.receive_data(sock.recv(65536)):
                ended = ended or isinstance(event, StreamEnded)
                message += event.data if isinstance(event, DataReceived) else b""
                trailers |= dict(event.headers) if isinstance(event, TrailersReceived) else {}
    assert (message, trailers["grpc-status"]) == (bytes.fromhex("00000000020801"), "0")


def test_half_open_and_broken_clients_leave_nothing(cluster):
    standin, port = cluster.pod()
    clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(20)]
    for number, client in enumerate(clients):
        client.sendall([b"", b"GET / HT", b"PRI * HTTP/2.0\r\n", b"\x16\x03\x01", b"x"][number % 5])
        if number % 2:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset instead of close
        client.close()
    for _ in range(2000):
        if standin.counts["connections"] == 20 and standin.connections == 0:
            break
        threading.Event().wait(0.005)
    assert (standin.counts["connections"], standin.connections) == (20, 0)


FOOTPRINT = """
import asyncio, json, random, socket, sys, uvloop
from switchboard.serve.standin.answer import PodFacts
from switchboard.serve.standin.behaviour import Behaviour
from switchboard.serve.standin.program import StandIn

async def main():
    standins = []
    for number in range(200):
        standin = StandIn(PodFacts(namespace="a", name=f"p{number}"), Behaviour(), lambda name: None,
                          random.Random(number), lambda: 0.0)
        await standin.start([socket.create_server(("127.0.0.1", 0)) for _ in range(2)], [])
        standins.append(standin)
    memory = next(line for line in open("/proc/self/status") if line.startswith("VmRSS"))
    print(json.dumps({"kilobytes": int(memory.split()[1]), "modules": sorted(sys.modules)}))
    await asyncio.gather(*(standin.terminate(0) for standin in standins))

uvloop.run(main())
"""


def test_hundreds_of_pods_need_little_memory_and_load_protocols_when_first_spoken():
    done = subprocess.run([sys.executable, "-c", FOOTPRINT], capture_output=True, check=True, timeout=60)
    told = json.loads(done.stdout)
    assert told["kilobytes"] < 64 * 1024
    assert not {"h2", "wsproto", "cryptography"} & {module.split(".")[0] for module in told["modules"]}
