"""A new cluster has its nodes and system objects, and takes all manifests or none."""

from __future__ import annotations

from datetime import UTC

from switchboard.compile.lab import LabOptions
from switchboard.k8s.manifests import load
from switchboard.run.population import node_object, now, populate
from switchboard.view.node import Node

GOOD = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
LOST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: nowhere}\n"


def test_nodes_have_zone_pods_and_readiness() -> None:
    store, findings = populate(LabOptions(nodes=3, zones=("a", "b")), [])
    assert findings == ()
    nodes = {node["metadata"]["name"]: node for node in store.list("Node")[0]}
    assert sorted(nodes) == ["node-1", "node-2", "node-3"]
    zones = [nodes[name]["metadata"]["labels"]["topology.kubernetes.io/zone"] for name in sorted(nodes)]
    assert zones == ["a", "b", "a"]
    assert nodes["node-2"]["spec"]["podCIDR"] == "10.244.2.0/24"
    conditions = {c["type"]: c["status"] for c in nodes["node-1"]["status"]["conditions"]}
    assert conditions["Ready"] == "True"


def test_the_system_is_there() -> None:
    store, _ = populate(LabOptions(), [])
    assert store.find("Service", "switchboard-system", "gateway")
    assert store.find("Deployment", "switchboard-system", "gateway")
    assert store.find("IngressClass", "", "nginx")


def test_one_refused_manifest_keeps_all_out() -> None:
    manifests = load(f"{GOOD}---\n{LOST}", "m.yaml")[0]
    store, findings = populate(LabOptions(), manifests)
    (finding,) = findings
    assert finding.object == "ConfigMap nowhere/c"
    assert (finding.place.file, finding.place.line) == ("m.yaml", 5)
    assert "namespace" in finding.hint
    assert store.find("Namespace", "", "shop") is None
    store, findings = populate(LabOptions(), manifests[:1])
    assert findings == ()
    assert store.find("Namespace", "", "shop")


def test_a_node_without_zone_has_no_label_of_one() -> None:
    node = node_object(Node(name="n", addresses=("192.0.2.1",), pod_cidrs=("10.0.0.0/24",)), "2026-05-04T12:00:00Z")
    assert "topology.kubernetes.io/zone" not in node["metadata"]["labels"]
    assert {"type": "InternalIP", "address": "192.0.2.1"} in node["status"]["addresses"]


def test_time_is_told_in_utc() -> None:
    assert now().tzinfo is UTC
