"""The API server alone: time until ready, memory, lists, latencies of writes and watches.

Prints each figure beside what was recorded for kube-apiserver 1.36 with etcd 3.4 on two CPUs, where there is one.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("switchboard")
TOKEN = "bench"
SERVICES = int(os.environ.get("SERVICES", "10000"))
WATCHERS = 1000


class Client:
    """One kept connection."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._port, self._context = port, context

    async def open(self) -> Client:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, ssl=self._context)
        return self

    async def send(self, method: str, path: str, body: object = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        head = (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n")  # fmt: skip
        self._writer.write(head.encode() + data)
        await self._writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        return int(lines[0].split()[1]), headers

    async def chunk(self) -> bytes:
        size = int((await self._reader.readline()).split(b";")[0], 16)
        return (await self._reader.readexactly(size + 2))[:-2]

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        await self.send(method, path, body)
        status, headers = await self.head()
        if headers.get("transfer-encoding") == "chunked":
            parts = []
            while part := await self.chunk():
                parts.append(part)
            return status, b"".join(parts)
        return status, await self._reader.readexactly(int(headers.get("content-length", "0")))

    def close(self) -> None:
        self._writer.close()


def service(index: int) -> dict[str, object]:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"s{index}"},
            "spec": {"selector": {"app": f"a{index}"}, "ports": ports}}  # fmt: skip


def resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


async def spread(clients: list[Client], jobs: list[tuple[str, str, object]], wanted: int) -> list[float]:
    """Seconds of each request, dealt to the clients."""
    todo, took = iter(jobs), []

    async def work(client: Client) -> None:
        for method, path, body in todo:
            began = time.perf_counter()
            status, answer = await client.ask(method, path, body)
            took.append(time.perf_counter() - began)
            if status != wanted:
                raise SystemExit(f"{method} {path}: {status} {answer[:200]!r}")

    await asyncio.gather(*(work(client) for client in clients))
    return took


def told(took: list[float]) -> str:
    ordered = sorted(took)
    return f"P50 {statistics.median(ordered) * 1000:.2f} ms, P99 {ordered[int(len(ordered) * 0.99)] * 1000:.2f} ms"


async def watchers(port: int, context: ssl.SSLContext, client: Client) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    _, listed = await client.ask("GET", path)
    version = json.loads(listed)["metadata"]["resourceVersion"]
    streams = [await Client(port, context).open() for _ in range(WATCHERS)]
    for stream in streams:
        await stream.send("GET", f"{path}?watch=1&resourceVersion={version}")
    await asyncio.gather(*(stream.head() for stream in streams))
    began = time.perf_counter()
    await client.ask("POST", path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "seen"}})
    first = asyncio.create_task(streams[0].chunk())
    await first
    one = time.perf_counter() - began
    await asyncio.gather(*(stream.chunk() for stream in streams[1:]))
    print(f"{WATCHERS} watchers: the first has an event after {one * 1000:.1f} ms, the last after "
          f"{(time.perf_counter() - began) * 1000:.0f} ms")  # fmt: skip
    for stream in streams:
        stream.close()


async def measure(port: int, pid: int, started: float) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    while True:
        try:
            client = await Client(port, context).open()
            if (await client.ask("GET", "/readyz"))[0] == 200:
                break
        except OSError:
            await asyncio.sleep(0.01)
    print(f"ready after {time.perf_counter() - started:.2f} s; goal 0.5 s; recorded for kube-apiserver 2 s")
    print(f"resident when idle: {resident(pid):.0f} MiB; goal 80 MB; recorded 275 + 39 MB with etcd")
    path = "/api/v1/namespaces/default/services"
    jobs: list[tuple[str, str, object]] = [("POST", path, service(i)) for i in range(SERVICES)]
    done = 0
    for count, share in ((1, 500), (8, 1500), (64, SERVICES - 2000)):
        clients = [await Client(port, context).open() for _ in range(count)]
        began = time.perf_counter()
        took = await spread(clients, jobs[done : done + share], 201)
        rate = len(took) / (time.perf_counter() - began)
        print(f"create with {count} clients: {told(took)}, {rate:.0f}/s")
        for each in clients:
            each.close()
        done += share
    print(f"resident with {SERVICES:,} Services: {resident(pid):.0f} MiB; recorded 596 + 129 MB with their slices")
    lists = []
    for _ in range(5):
        began = time.perf_counter()
        _, answer = await client.ask("GET", path)
        lists.append(time.perf_counter() - began)
    size = len(answer) / 2**20
    print(f"list of {SERVICES:,} Services as JSON ({size:.1f} MiB): median {statistics.median(lists):.3f} s")
    await watchers(port, context, client)


def main() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        words = ("apiserver", "--data-dir", directory, "--bind", f"127.0.0.1:{port}", "--token", TOKEN)
        started = time.perf_counter()
        process = subprocess.Popen([PROGRAM, *words], stdout=subprocess.DEVNULL)
        try:
            asyncio.run(measure(port, process.pid, started))
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
