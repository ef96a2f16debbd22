"""Facts about Services."""

from __future__ import annotations

import msgspec

from switchboard.view.service import ServicePort


def port(**facts: object) -> ServicePort:
    known = {"namespace": "shop", "name": "web", "port_name": "http", "protocol": "TCP", "port": 80}
    return ServicePort(**(known | facts))  # type: ignore[arg-type]


def test_the_key_tells_ports_and_protocols_apart() -> None:
    keys = {port().key, port(port_name="").key, port(protocol="UDP").key, port(name="api").key, port(namespace="x").key}
    assert len(keys) == 5
    assert port().key == "shop/web:http/TCP"


def test_externally_accessible_is_what_the_proxy_sees() -> None:
    """K19: a LoadBalancer without node ports and without status is not."""
    assert not port(type="LoadBalancer").externally_accessible
    assert port(node_port=30080).externally_accessible
    assert port(external_ips=("192.0.2.1",)).externally_accessible
    assert port(load_balancer_ips=("198.51.100.1",)).externally_accessible


def test_facts_survive_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(port()), type=ServicePort) == port()
