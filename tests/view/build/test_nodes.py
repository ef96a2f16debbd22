from __future__ import annotations

import pytest

from switchboard.view.build.nodes import build


def node(name="n1", labels=None, addresses=(), conditions=(), **spec):
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": spec,
        "status": {"addresses": [{"type": t, "address": a} for t, a in addresses], "conditions": list(conditions)},
    }


def test_facts_of_a_node():
    found = build(
        {
            "Node": [
                node(
                    labels={"topology.kubernetes.io/zone": "a"},
                    addresses=[("ExternalIP", "198.51.100.1"), ("Hostname", "n1"), ("InternalIP", "192.168.1.11")],
                    conditions=[{"type": "Ready", "status": "True"}],
                    podCIDRs=["10.244.1.0/24"],
                )
            ]
        }
    )
    network, nodes, findings = found
    assert findings == ()
    assert nodes[0].addresses == ("192.168.1.11", "198.51.100.1")
    assert (nodes[0].zone, nodes[0].pod_cidrs, nodes[0].ready, nodes[0].load_balanced) == (
        "a",
        ("10.244.1.0/24",),
        True,
        True,
    )
    assert network.pod_cidrs == ("10.244.1.0/24",)


@pytest.mark.parametrize(
    ("changed", "attribute"),
    [
        ({"labels": {"node.kubernetes.io/exclude-from-external-load-balancers": ""}}, "load_balanced"),
        ({"taints": [{"key": "ToBeDeletedByClusterAutoscaler"}]}, "load_balanced"),
        ({"conditions": [{"type": "Ready", "status": "Unknown"}]}, "ready"),
    ],
)
def test_nodes_that_are_left_out(changed, attribute):
    assert getattr(build({"Node": [node(**changed)]})[1][0], attribute) is False


def test_network_joins_ranges_of_all_nodes_and_service_cidrs():
    cidr = {
        "kind": "ServiceCIDR",
        "metadata": {"name": "kubernetes"},
        "spec": {"cidrs": ["fd00:10::/112", "10.96.0.0/12"]},
    }
    nodes = [node("n2", podCIDR="10.244.1.0/24"), node("n1", podCIDR="10.244.0.0/24")]
    network, found, findings = build({"Node": nodes, "ServiceCIDR": [cidr]})
    assert findings == ()
    assert [n.name for n in found] == ["n1", "n2"]
    assert network.service_cidrs == ("10.96.0.0/12", "fd00:10::/112")
    assert network.pod_cidrs == ("10.244.0.0/23",)


def test_unusable_values_are_found():
    found = build({"Node": [node(addresses=[("InternalIP", "x")], podCIDR="y"), node("")]})
    assert [f.field for f in found[2]] == ["metadata.name", "status.addresses", "spec.podCIDRs"]
