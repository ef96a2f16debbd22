from __future__ import annotations

from switchboard.compile.modes import _nft_names as names
from switchboard.rules.nft import NAME
from switchboard.view.service import Endpoint, ServicePort


def port(name="s"):
    return ServicePort(namespace="n" * 63, name=name, port_name="p" * 63, protocol="TCP", port=80)


def test_names_are_valid_unique_and_not_too_long():
    endpoints = [Endpoint("fd00:1111:2222:3333:4444:5555:6666:7777", 65535), Endpoint("10.0.0.1", 80)]
    found = [names.of_endpoint("endpoint", port(n * 63), e) for n in "ab" for e in endpoints]
    found += [names.of_port("service", port(n * 63)) for n in "ab"]
    assert len(set(found)) == len(found)
    assert all(NAME.fullmatch(n) and len(n) <= names.LONGEST for n in found)
    assert all(n.endswith("...") for n in found[:1])


def test_names_are_readable_and_stable():
    short = ServicePort(namespace="d", name="web", port_name="http", protocol="UDP", port=80)
    assert names.of_port("service", short).endswith("-d/web/udp/http")
    assert names.of_port("service", short) == names.of_port("service", short)
    assert names.of_content("firewall", "a") == names.of_content("firewall", "a") != names.of_content("firewall", "b")
