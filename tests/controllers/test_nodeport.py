import pytest

from switchboard.controllers import nodeport


def service(cluster, name, port, **spec):
    ports = [{"port": 80, "nodePort": port}]
    return cluster.create("Service", name, spec={"type": "NodePort", "ports": ports, **spec})


@pytest.fixture
def cluster(simulated):
    made = simulated([nodeport.CONTROLLER])
    made.settle()
    return made


def told(cluster):
    return {(e["involvedObject"]["name"], e["reason"]) for e in cluster.events()}


def test_a_port_of_two_services_is_told_to_the_younger(cluster):
    service(cluster, "b", 30080)
    cluster.wait(1)
    service(cluster, "a", 30080)
    cluster.settle()
    assert told(cluster) == {("a", "PortAlreadyAllocated")}


def test_the_port_of_the_health_check_counts(cluster):
    service(cluster, "a", 30080)
    cluster.wait(1)
    service(cluster, "b", 30081, type="LoadBalancer", healthCheckNodePort=30080)
    cluster.settle()
    assert told(cluster) == {("b", "PortAlreadyAllocated")}


def test_a_port_out_of_range_is_told(simulated):
    cluster = simulated([nodeport.CONTROLLER], settings={"node-ports": range(30000, 30010)})
    cluster.settle()
    service(cluster, "a", 30010)
    cluster.settle()
    (event,) = cluster.events("PortOutOfRange")
    assert "30000-30009" in event["message"]


def test_services_without_node_ports_have_none():
    assert nodeport.ports({"spec": {"type": "ClusterIP", "ports": [{"nodePort": 30080}]}}) == []
