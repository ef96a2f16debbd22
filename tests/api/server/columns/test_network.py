import pytest


@pytest.mark.parametrize(
    ("spec", "status", "shown"),
    [
        ({"type": "ClusterIP", "clusterIPs": ["10.0.0.1"]}, {}, ("10.0.0.1", "<none>")),
        ({"type": "ClusterIP", "clusterIPs": ["None"]}, {}, ("None", "<none>")),
        ({"type": "LoadBalancer"}, {}, ("<none>", "<pending>")),
        ({"type": "LoadBalancer", "externalIPs": ["192.0.2.2"]},
         {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "h"}]}}, ("<none>", "192.0.2.1,h,192.0.2.2")),
        ({"type": "ExternalName", "externalName": "a.b"}, {}, ("<none>", "a.b")),
    ],
)  # fmt: skip
def test_addresses_of_services(cells, spec, status, shown):
    found = cells("Service", spec=spec, status=status)
    assert (found["Cluster-IP"], found["External-IP"]) == shown


def test_ports_of_services(cells):
    ports = [{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]
    assert cells("Service", spec={"ports": ports})["Port(s)"] == "80:30080/TCP,53/UDP"


def test_many_endpoints_are_counted(cells):
    endpoints = [{"addresses": [f"10.0.0.{i}"]} for i in range(5)]
    found = cells("EndpointSlice", endpoints=endpoints, ports=[{"port": 80}])
    assert found["Endpoints"] == "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more..."
    subsets = [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}, {"port": 81}]}]
    assert cells("Endpoints", subsets=subsets)["Endpoints"] == "10.0.0.1:80,10.0.0.1:81"


def test_ingresses(cells):
    spec = {"rules": [{"host": "a"}, {}], "tls": [{}], "ingressClassName": "c"}
    found = cells("Ingress", spec=spec, status={"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}})
    assert (found["Class"], found["Hosts"], found["Address"], found["Ports"]) == ("c", "a", "192.0.2.1", "80, 443")
    assert cells("Ingress", spec={})["Hosts"] == "*"
