from __future__ import annotations

from switchboard.view.build.pods import build
from switchboard.view.node import PodPort


def pod(name="p", spec=None, status=None, **metadata):
    return {
        "kind": "Pod",
        "metadata": {"namespace": "d", "name": name, "uid": "u"} | metadata,
        "spec": {"nodeName": "n1", "containers": []} | (spec or {}),
        "status": status or {},
    }


def test_facts_of_a_pod():
    containers = [{"image": "a:1", "ports": [{"name": "web", "containerPort": 80}, {"containerPort": "x"}]}]
    sidecar = {"image": "side:1", "restartPolicy": "Always", "ports": [{"containerPort": 53, "protocol": "UDP"}]}
    status = {
        "podIPs": [{"ip": "10.244.0.5"}, {"ip": "fd00::5"}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    pods, findings = build(
        {"Pod": [pod(spec={"containers": containers, "initContainers": [{"image": "i"}, sidecar]}, status=status)]}
    )
    assert findings == ()
    found = pods[0]
    assert (found.key, found.node, found.addresses) == ("d/p", "n1", ("10.244.0.5", "fd00::5"))
    assert (found.images, found.ready, found.terminating, found.host_network) == (("a:1", "side:1"), True, False, False)
    assert found.ports == (PodPort("web", 80, "TCP"), PodPort("", 53, "UDP"))


def test_finished_pods_are_left_out_and_terminating_ones_are_not():
    objects = [pod("a", status={"phase": "Succeeded"}), pod("b", deletionTimestamp="2026-01-01T00:00:00Z")]
    pods, _ = build({"Pod": objects})
    assert [(p.name, p.terminating) for p in pods] == [("b", True)]


def test_single_address_and_unusable_ones():
    pods, findings = build({"Pod": [pod("a", status={"podIP": "10.0.0.01"}), pod("b", status={"podIP": "x"}), pod("")]})
    assert [p.addresses for p in pods] == [("10.0.0.1",), ()]
    assert [f.object for f in findings] == ["Pod", "Pod d/b"]
