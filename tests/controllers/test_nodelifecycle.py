from datetime import timedelta

import pytest

PREFIX = "node.kubernetes.io/"


@pytest.fixture(autouse=True)
def _ready(cluster):
    for name in ("n1", "n2", "n3"):
        cluster.set_node(name)


def taints(cluster, name="n1"):
    found = cluster.store.get("Node", "", name)["spec"].get("taints", [])
    return sorted((t["key"].removeprefix(PREFIX), t["effect"]) for t in found)


def on(cluster, node, **labels):
    return [p for p in cluster.pods(**labels) if p["spec"].get("nodeName") == node]


def ready(pod):
    return next(c["status"] for c in pod["status"]["conditions"] if c["type"] == "Ready")


@pytest.mark.parametrize(("state", "taint"), [("False", "not-ready"), ("Unknown", "unreachable")])
def test_a_node_that_is_not_ready_is_tainted_and_its_pods_are_not_ready_at_once(cluster, state, taint):
    cluster.deployment("web", 6)
    cluster.settle()
    cluster.wait(5)
    cluster.set_node("n1", state)
    cluster.settle()
    assert taints(cluster) == [(taint, "NoExecute"), (taint, "NoSchedule")]
    assert {ready(pod) for pod in on(cluster, "n1")} == {"False"}
    assert {ready(pod) for pod in on(cluster, "n2")} == {"True"}
    assert cluster.events("NodeNotReady")
    assert len(on(cluster, "n1")) == 2


def test_pods_leave_when_their_toleration_ends_and_the_node_is_free_when_it_recovers(cluster):
    cluster.deployment("web", 6)
    cluster.settle()
    cluster.set_node("n1", "Unknown")
    cluster.settle()
    cluster.wait(299)
    assert len(on(cluster, "n1")) == 2
    cluster.wait(1)
    assert on(cluster, "n1") == []
    assert len(cluster.pods(app="web")) == 6
    assert len(cluster.events("TaintManagerEviction")) == 2
    cluster.set_node("n1", "True")
    cluster.settle()
    assert taints(cluster) == []


def test_a_node_that_recovers_in_time_keeps_its_pods(cluster):
    cluster.deployment("web", 3)
    cluster.settle()
    names = {p["metadata"]["name"] for p in on(cluster, "n1")}
    cluster.set_node("n1", "False")
    cluster.settle()
    cluster.wait(200)
    cluster.set_node("n1", "True")
    cluster.settle()
    cluster.wait(200)
    assert {p["metadata"]["name"] for p in on(cluster, "n1")} == names


@pytest.mark.parametrize(
    ("toleration", "seconds"),
    [
        ({"operator": "Exists", "tolerationSeconds": 20}, 20),
        ({"key": PREFIX + "unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}, 0),
        ({"key": PREFIX + "unreachable", "operator": "Exists", "effect": "NoSchedule"}, 300),
        ({"key": PREFIX + "unreachable", "operator": "Exists"}, None),
    ],
)
def test_tolerations_of_the_pod_decide(cluster, template, toleration, seconds):
    spec = {**template({})["spec"], "nodeName": "n1", "tolerations": [toleration]}
    cluster.create("Pod", "p", labels={"app": "p"}, spec=spec)
    cluster.settle()
    cluster.set_node("n1", "Unknown")
    cluster.settle()
    if seconds is None:
        cluster.wait(100000)
        assert on(cluster, "n1", app="p")
        return
    if seconds:
        cluster.wait(seconds - 1)
        assert on(cluster, "n1", app="p")
        cluster.wait(1)
    assert not on(cluster, "n1", app="p")


def test_daemons_stay(cluster, template):
    labels = {"app": "d"}
    cluster.create("DaemonSet", "d", spec={"selector": {"matchLabels": labels}, "template": template(labels)})
    cluster.settle()
    cluster.set_node("n1", "False")
    cluster.settle()
    cluster.wait(4000)
    assert len(on(cluster, "n1", app="d")) == 1


def test_a_pod_that_became_ready_after_its_node_failed_is_left_alone(cluster):
    cluster.deployment("web", 3)
    cluster.settle()
    cluster.set_node("n1", "False")
    cluster.settle()
    cluster.wait(5)
    (pod,) = on(cluster, "n1")
    cluster.set_ready(pod, True)
    cluster.settle()
    assert ready(on(cluster, "n1")[0]) == "True"


def test_a_taint_of_the_user_drives_pods_away_and_stays(cluster):
    cluster.deployment("web", 3)
    cluster.settle()
    cluster.change("Node", "n1", namespace="", taints=[{"key": "maintenance", "effect": "NoExecute"}])
    cluster.settle()
    assert on(cluster, "n1") == []
    (taint,) = cluster.store.get("Node", "", "n1")["spec"]["taints"]
    assert taint == {"key": "maintenance", "effect": "NoExecute", "timeAdded": "2026-11-23T12:00:00Z"}


def test_a_cordoned_node_is_tainted_until_it_is_not(cluster):
    cluster.change("Node", "n1", namespace="", unschedulable=True)
    cluster.settle()
    assert taints(cluster) == [("unschedulable", "NoSchedule")]
    cluster.deployment("web", 3)
    cluster.settle()
    assert on(cluster, "n1") == []
    cluster.change("Node", "n1", namespace="", unschedulable=False)
    cluster.settle()
    assert taints(cluster) == []


def test_trouble_that_kubelets_tell_keeps_new_pods_away(cluster):
    node = cluster.store.get("Node", "", "n1")
    node["status"]["conditions"].append({"type": "DiskPressure", "status": "True"})
    cluster.store.update_status(node)
    cluster.settle()
    assert taints(cluster) == [("disk-pressure", "NoSchedule")]


def test_when_no_node_is_ready_nobody_is_evicted(cluster):
    cluster.deployment("web", 3)
    cluster.settle()
    for name in ("n1", "n2", "n3"):
        cluster.set_node(name, "Unknown")
        cluster.settle()
    assert taints(cluster) == [("unreachable", "NoSchedule")]
    cluster.wait(4000)
    assert len(on(cluster, "n1")) == 1
    cluster.set_node("n2", "True")
    cluster.settle()
    assert taints(cluster) == [("unreachable", "NoExecute"), ("unreachable", "NoSchedule")]


def test_a_lease_that_is_not_renewed_makes_the_node_unknown(cluster):
    renew = cluster.now.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    cluster.create("Namespace", "kube-node-lease", namespace="")
    cluster.create("Lease", "n1", namespace="kube-node-lease", spec={"renewTime": renew})
    cluster.settle()
    cluster.wait(49)
    assert taints(cluster) == []
    cluster.wait(1)
    (condition,) = cluster.store.get("Node", "", "n1")["status"]["conditions"]
    assert (condition["status"], condition["reason"]) == ("Unknown", "NodeStatusUnknown")
    assert ("unreachable", "NoSchedule") in taints(cluster)
    lease = cluster.store.get("Lease", "kube-node-lease", "n1")
    beat = (cluster.now + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    cluster.store.update({**lease, "spec": {"renewTime": beat}})
    cluster.set_node("n1", "True")
    cluster.settle()
    assert taints(cluster) == []
