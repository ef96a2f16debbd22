"""A small network is made as it is written down, and unmade without a trace."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from switchboard.apply import process
from switchboard.apply.fabric import Fabric
from switchboard.rules.lab import Address, Bridge, Lab, Link, Route, Setting

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")]

LAB = Lab(
    namespaces=("left", "middle", "right"),
    links=(Link(("left", "eth0"), ("middle", "left")), Link(("right", "eth0"), ("middle", "right"))),
    bridges=(Bridge("middle", "both", ("left", "right")),),
    addresses=(
        Address("left", "eth0", "192.0.2.1/24"),
        Address("right", "eth0", "192.0.2.2/24"),
        Address("middle", "both", "192.0.2.254/32", local=True),
    ),
    routes=(
        Route("left", "198.51.100.0/24", ("192.0.2.2",)),
        Route("left", "203.0.113.0/24", ("192.0.2.2", "192.0.2.3")),
        Route("left", "198.51.100.7/32"),
        Route("left", "203.0.113.9/32", interface="eth0", source="192.0.2.1"),
        Route("right", "default", ("169.254.1.1",), interface="eth0", onlink=True),
    ),
    settings=(Setting("middle", "ipv4/ip_forward", "1"),),
)


@pytest.fixture
def fabric() -> Iterator[Fabric]:
    with Fabric({}) as made:
        made.make(LAB)
        yield made
        for name in list(made.namespaces):
            made.forget(name)


def ip(fabric: Fabric, namespace: str, *words: str) -> Any:
    done = process.run(("ip", "-j", "-4", *words), netns=fabric.namespaces[namespace])
    return json.loads(done.stdout or "[]")


def routes(fabric: Fabric, namespace: str) -> dict[str, dict[str, Any]]:
    return {route["dst"]: route for route in ip(fabric, namespace, "route")}


def test_links_are_up_on_the_bridge(fabric: Fabric) -> None:
    links = {link["ifname"]: link for link in ip(fabric, "middle", "link")}
    assert set(links) == {"lo", "left", "right", "both"}
    assert links["left"]["master"] == links["right"]["master"] == "both"
    assert all("UP" in link["flags"] for name, link in links.items() if name != "lo")
    assert ip(fabric, "middle", "addr", "show", "both")[0]["addr_info"][0]["scope"] == "link"


def test_both_ends_reach_each_other(fabric: Fabric) -> None:
    neighbours = process.run(
        ("python3", "-c", "import socket; s = socket.socket(); s.settimeout(5); s.connect(('192.0.2.2', 9))"),
        netns=fabric.namespaces["left"],
    )
    # Nobody listens there: the answer itself is the proof.
    assert "ConnectionRefusedError" in neighbours.stderr


def test_routes_are_as_written(fabric: Fabric) -> None:
    found = routes(fabric, "left")
    assert found["198.51.100.0/24"]["gateway"] == "192.0.2.2"
    assert {hop["gateway"] for hop in found["203.0.113.0/24"]["nexthops"]} == {"192.0.2.2", "192.0.2.3"}
    assert found["198.51.100.7"]["type"] == "unreachable"
    assert (found["203.0.113.9"]["dev"], found["203.0.113.9"]["prefsrc"]) == ("eth0", "192.0.2.1")
    assert "onlink" in routes(fabric, "right")["default"]["flags"]


def test_a_route_is_replaced_and_removed(fabric: Fabric) -> None:
    destination = "198.51.100.0/24"
    fabric.route(Route("left", destination, ("192.0.2.3",)))
    assert routes(fabric, "left")[destination]["gateway"] == "192.0.2.3"
    for _ in range(2):
        fabric.unroute(Route("left", destination))
        assert destination not in routes(fabric, "left")


def test_settings_are_made(fabric: Fabric) -> None:
    done = process.run(("cat", "/proc/sys/net/ipv4/ip_forward"), netns=fabric.namespaces["middle"])
    assert done.stdout == "1\n"


@pytest.mark.parametrize(
    ("ranges", "taken"),
    [(("192.0.2.128/25",), "192.0.2.0/24"), (("198.51.100.7/32",), "198.51.100.0/24"), (("10.0.0.0/8",), "")],
)
def test_overlaps_with_what_is_routed_already(fabric: Fabric, ranges: tuple[str, ...], taken: str) -> None:
    assert fabric.overlapping("left", ranges) == taken
    # A default route is no claim on a range.
    assert fabric.overlapping("right", ("10.0.0.0/8",)) == ""


def test_a_removed_link_takes_its_peer_with_it(fabric: Fabric) -> None:
    for _ in range(2):
        fabric.remove_link("middle", "left")
    assert [link["ifname"] for link in ip(fabric, "left", "link")] == ["lo"]


def test_a_port_joins_a_bridge_that_is_there(fabric: Fabric) -> None:
    fabric.make(
        Lab(
            namespaces=("late",),
            links=(Link(("late", "eth0"), ("middle", "late")),),
            bridge_ports=(("middle", "both", "late"),),
            addresses=(Address("late", "eth0", "192.0.2.9/24"),),
        )
    )
    links = {link["ifname"]: link for link in ip(fabric, "middle", "link")}
    assert links["late"]["master"] == "both"


def test_an_interface_that_is_not_there_is_named(fabric: Fabric) -> None:
    with pytest.raises(OSError, match="no interface eth9 in left"):
        fabric.make(Lab(addresses=(Address("left", "eth9", "192.0.2.1/24"),)))
