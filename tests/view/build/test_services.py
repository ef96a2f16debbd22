"""Services and slices to service ports: one row per behaviour of the list."""

from __future__ import annotations

import copy

import pytest

from switchboard.view.build.services import build


def service(name="s", labels=None, status=None, **spec):
    body = {"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"], "ports": [{"port": 80, "protocol": "TCP"}]} | spec
    return {"kind": "Service", "metadata": {"namespace": "d", "name": name, "labels": labels or {}}, "spec": body} | (
        {"status": status} if status else {}
    )


def entry(address="10.244.0.1", **rest):
    return {"addresses": [address]} | rest


def endpoint_slice(*endpoints, name="s-1", owner="s", labels=None, ports=None, kind="IPv4"):
    marked = ({"kubernetes.io/service-name": owner} if owner else {}) | (labels or {})
    return {
        "kind": "EndpointSlice",
        "metadata": {"namespace": "d", "name": name, "labels": marked},
        "addressType": kind,
        "ports": ports if ports is not None else [{"name": "", "port": 8080, "protocol": "TCP"}],
        "endpoints": list(endpoints),
    }


def built(*objects):
    groups = {k: [o for o in objects if o["kind"] == k] for k in ("Service", "EndpointSlice")}
    return build(groups)


def only(*objects):
    ports, findings = built(*objects)
    assert findings == ()
    assert len(ports) == 1
    return ports[0]


def test_defaults_and_conditions_nil():
    port = only(service(), endpoint_slice(entry(nodeName="n1", zone="a")))
    assert port.key == "d/s:/TCP"
    assert port.proxied
    assert (port.cluster_ips, port.node_port, port.affinity_seconds) == (("10.96.0.1",), 0, 0)
    found = port.endpoints[0]
    assert (found.address, found.port, found.node, found.zone) == ("10.244.0.1", 8080, "n1", "a")
    assert (found.ready, found.serving, found.terminating) == (True, True, False)


def test_foreign_headless_and_external_name_are_not_proxied():
    foreign = only(service(labels={"service.kubernetes.io/service-proxy-name": "other"}))
    assert (foreign.proxied, foreign.proxy_name) == (False, "other")
    headless = only(
        service(clusterIP="None", clusterIPs=["None"]),
        endpoint_slice(entry(), labels={"service.kubernetes.io/headless": ""}),
    )
    assert (headless.proxied, headless.headless, len(headless.endpoints)) == (False, True, 1)
    assert not only(service(type="ExternalName", externalName="example.com")).proxied
    assert not only(service(clusterIP="", clusterIPs=[])).proxied


@pytest.mark.parametrize("label", ["service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"])
def test_labelled_slices_are_ignored(label):
    assert only(service(), endpoint_slice(entry(), labels={label: "x"})).endpoints == ()


@pytest.mark.parametrize(
    "ignored",
    [
        endpoint_slice(entry(), owner=""),
        endpoint_slice(entry("example.com"), kind="FQDN"),
        endpoint_slice(entry(), ports=[{"name": "", "protocol": "TCP"}]),
        endpoint_slice(entry(), ports=[{"name": "", "port": 0, "protocol": "TCP"}]),
        endpoint_slice(entry(), ports=[{"name": "web", "port": 8080, "protocol": "TCP"}]),
        endpoint_slice(entry(), ports=[{"name": "", "port": 8080, "protocol": "UDP"}]),
    ],
)
def test_slices_that_contribute_nothing(ignored):
    assert only(service(), ignored).endpoints == ()


def test_nil_port_name_is_the_unnamed_port_and_only_the_first_address_counts():
    port = only(service(), endpoint_slice({"addresses": ["10.244.0.9", "10.244.0.8"]}, ports=[{"port": 9}]))
    assert [(e.address, e.port) for e in port.endpoints] == [("10.244.0.9", 9)]


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_copy_that_is_not_terminating_wins(order):
    dying = endpoint_slice(entry(conditions={"ready": False, "serving": True, "terminating": True}), name=order[0])
    alive = endpoint_slice(entry(), name=order[1])
    assert [e.terminating for e in only(service(), dying, alive).endpoints] == [False]


def test_addresses_become_canonical():
    port = only(
        service(
            type="LoadBalancer",
            clusterIPs=["172.30.0.041", "FD00:0::1"],
            externalIPs=["192.000.2.9", "192.0.2.9"],
            loadBalancerSourceRanges=[" 10.1.2.3/8", "fd00::/16", "::/0 "],
            status={"loadBalancer": {"ingress": [{"ip": "198.51.100.007", "ipMode": "VIP"}]}},
        ),
        endpoint_slice(entry("10.244.000.1")),
    )
    assert port.cluster_ips == ("172.30.0.41", "fd00::1")
    assert port.external_ips == ("192.0.2.9",)
    assert port.load_balancer_ips == ("198.51.100.7",)
    assert port.source_ranges == ("10.0.0.0/8",)
    assert port.endpoints[0].address == "10.244.0.1"


def test_balancer_addresses_by_mode():
    ingress = [{"ip": "1.1.1.1"}, {"ip": "1.1.1.2", "ipMode": "VIP"}, {"ip": "1.1.1.3", "ipMode": "Proxy"}]
    status = {"loadBalancer": {"ingress": [*ingress, {"hostname": "lb.example.com"}]}}
    assert only(service(type="LoadBalancer", status=status)).load_balancer_ips == ("1.1.1.1", "1.1.1.2")
    assert only(service(type="ClusterIP", status=status)).load_balancer_ips == ()


def test_affinity_policies_and_hints():
    port = only(
        service(
            sessionAffinity="ClientIP",
            sessionAffinityConfig={"clientIP": {"timeoutSeconds": 30}},
            internalTrafficPolicy="Local",
            externalTrafficPolicy="Local",
            healthCheckNodePort=31000,
        ),
        endpoint_slice(entry(hints={"forZones": [{"name": "a"}, {"name": "b"}], "forNodes": [{"name": "n"}]})),
    )
    assert (port.affinity_seconds, port.internal_local, port.external_local) == (30, True, True)
    assert port.health_check_node_port == 31000
    assert (port.endpoints[0].zone_hints, port.endpoints[0].node_hints) == (("a", "b"), ("n",))
    assert only(service(sessionAffinity="ClientIP")).affinity_seconds == 10800


def test_two_protocols_on_one_number_are_two_ports():
    ports, findings = built(
        service(ports=[{"name": "u", "port": 53, "protocol": "UDP"}, {"name": "t", "port": 53, "protocol": "TCP"}]),
        endpoint_slice(entry(), ports=[{"name": "u", "port": 5353, "protocol": "UDP"}]),
    )
    assert findings == ()
    assert [(p.key, len(p.endpoints)) for p in ports] == [("d/s:t/TCP", 0), ("d/s:u/UDP", 1)]


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        (service(clusterIPs=["10.96.0.300"]), "spec.clusterIPs[0]"),
        (service(externalIPs=[7]), "spec.externalIPs[0]"),
        (service(loadBalancerSourceRanges=["10.0.0.0"]), "spec.loadBalancerSourceRanges[0]"),
        (service(ports=[{"port": "http"}]), "spec.ports[0]"),
        (service(ports=[{"port": 80, "protocol": "ICMP"}]), "spec.ports[0]"),
        (service(ports=[{"port": 80}, {"port": 81}]), "spec.ports"),
        (service(name=""), "metadata.name"),
        (endpoint_slice(entry("fd00::1")), "endpoints[0].addresses[0]"),
    ],
)
def test_what_cannot_be_honoured_is_found(broken, field):
    others = () if broken["kind"] == "Service" else (service(),)
    findings = built(broken, *others)[1]
    assert [f.field for f in findings] == [field]


def test_input_is_left_alone():
    objects = [service(), endpoint_slice(entry())]
    before = copy.deepcopy(objects)
    built(*objects)
    assert objects == before
