import pytest

from switchboard.controllers import _endpoints


def pod(*ips, containers=(), sidecars=(), **spec):
    status = {"podIP": ips[0] if ips else "", "podIPs": [{"ip": ip} for ip in ips]}
    spec = {"containers": list(containers), "initContainers": list(sidecars), **spec}
    return {"metadata": {"name": "p"}, "spec": spec, "status": status}


def container(name, number, protocol="TCP", **fields):
    return {"ports": [{"name": name, "containerPort": number, "protocol": protocol}], **fields}


def service(*ports, **spec):
    return {"metadata": {"name": "s"}, "spec": {"ports": list(ports), **spec}}


def test_addresses_are_canonical_and_of_one_family():
    found = pod("10.0.0.1", "FD00:0:0::1", "no address")
    assert _endpoints.addresses(found, "IPv4") == ["10.0.0.1"]
    assert _endpoints.addresses(found, "IPv6") == ["fd00::1"]


@pytest.mark.parametrize(
    ("target", "protocol", "expected"),
    [
        (9000, "TCP", [9000]),
        (None, "TCP", [80]),
        ("web", "TCP", [8080]),
        ("web", "UDP", []),
        ("dns", "UDP", [5353]),
        ("proxy", "TCP", [15001]),
        ("setup", "TCP", []),
    ],
)
def test_named_ports_are_looked_up_by_name_and_protocol(target, protocol, expected):
    found = pod(
        "10.0.0.1",
        containers=[container("web", 8080), container("dns", 5353, "UDP")],
        sidecars=[container("proxy", 15001, restartPolicy="Always"), container("setup", 1)],
    )
    port = {"port": 80, "protocol": protocol, **({"targetPort": target} if target else {})}
    assert [p["port"] for p in _endpoints.ports(service(port), found)] == expected


def test_a_port_carries_name_and_application_protocol():
    port = {"name": "h2", "port": 80, "appProtocol": "kubernetes.io/h2c"}
    assert _endpoints.ports(service(port), pod("10.0.0.1")) == [
        {"name": "h2", "port": 80, "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"}
    ]


def test_the_key_of_a_port_set_does_not_depend_on_order():
    first, second = {"name": "a", "port": 1}, {"port": 2, "name": "b"}
    assert _endpoints.port_key([first, second]) == _endpoints.port_key([second, {"port": 1, "name": "a"}])
    assert _endpoints.port_key([first]) != _endpoints.port_key([second])


@pytest.mark.parametrize(
    ("spec", "expected"),
    [({"ipFamilies": ["IPv6", "IPv4"]}, ["IPv6", "IPv4"]), ({"clusterIP": "fd00::1"}, ["IPv6"]), ({}, ["IPv4"])],
)
def test_families(spec, expected):
    assert _endpoints.families(service(**spec)) == expected
