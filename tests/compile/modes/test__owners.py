from __future__ import annotations

from switchboard.compile.modes._owners import key_of, node_key_of, owners_of
from switchboard.view.service import ServicePort


def port(name, **facts):
    base = {"namespace": "d", "port_name": "", "protocol": "TCP", "port": 80}
    return ServicePort(name=name, **(base | facts))


def test_a_cluster_address_outranks_others_and_the_first_name_wins_among_equals():
    ports = (
        port("a", external_ips=("10.0.0.1",), node_port=30000),
        port("b", cluster_ips=("10.0.0.1",), node_port=30000),
    )
    owners, findings = owners_of(4, ports)
    assert owners == {"10.0.0.1 . tcp . 80": "d/b:/TCP", "tcp . 30000": "d/a:/TCP"}
    assert sorted((f.reference, f.object) for f in findings) == [
        ("address-taken", "Service d/a"),
        ("address-taken", "Service d/b"),
    ]
    assert owners_of(4, reversed(ports))[0] == {**owners, "tcp . 30000": "d/b:/TCP"}


def test_protocols_and_families_do_not_meet():
    ports = (port("a", external_ips=("10.0.0.1",)), port("b", external_ips=("10.0.0.1",), protocol="UDP"))
    assert owners_of(4, ports)[1] == ()
    assert owners_of(6, ports) == ({}, ())
    assert (key_of("10.0.0.1", ports[1]), node_key_of(ports[1])) == ("10.0.0.1 . udp . 80", "udp . 0")
