"""The outside client in a network namespace of its own reaches what listens there, and only there."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from switchboard.apply import netns
from switchboard.serve.outside import RequestPlan, measure

pytestmark = pytest.mark.live
BODY = b'{"pod": "inside"}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


@pytest.fixture
def inside() -> Iterator[tuple[int, int]]:
    """A namespace with a server on its loopback that answers; its descriptor and the port."""
    descriptor = netns.create()
    with netns.entered(descriptor):
        with IPRoute() as routes:
            routes.link("set", index=1, state="up")
        listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                while connection.recv(65536):
                    connection.sendall(ANSWER)

    thread = threading.Thread(target=answer)
    thread.start()
    yield descriptor, listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()
    os.close(descriptor)


def where() -> str:
    return str(Path("/proc/thread-self/ns/net").readlink())


def test_requests_leave_from_the_namespace(inside: tuple[int, int]) -> None:
    descriptor, port = inside
    before = where()
    plan = RequestPlan(
        url=f"http://api.example.com:{port}/",
        addresses={"api.example.com": "127.0.0.1"},
        requests=20,
        concurrency=1,
        give_up_after=3,
    )
    assert measure(plan, netns=descriptor).pods == {"inside": 20}
    assert where() == before
    outside = measure(plan)
    assert [failure.kind for failure in outside.failures] == ["refused"]


def test_an_address_without_route_is_unreachable(inside: tuple[int, int]) -> None:
    plan = RequestPlan(url="http://198.51.100.1/", requests=3, concurrency=1)
    found = measure(plan, netns=inside[0])
    assert [(failure.kind, failure.count) for failure in found.failures] == [("unreachable", 3)]
