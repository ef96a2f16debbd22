def on(cluster, node):
    return [p for p in cluster.pods() if p["spec"].get("nodeName") == node]


def targets(cluster, node):
    conditions = [c for p in on(cluster, node) for c in p["status"].get("conditions", [])]
    return [c["reason"] for c in conditions if c["type"] == "DisruptionTarget"]


def test_pods_of_a_node_that_is_gone_go_after_a_while_and_are_replaced(cluster):
    cluster.deployment("web", 3)
    cluster.settle()
    cluster.agent = False
    cluster.store.delete("Node", "", "n1")
    cluster.settle()
    assert targets(cluster, "n1") == ["DeletionByPodGC"]
    cluster.wait(39)
    assert len(on(cluster, "n1")) == 1
    cluster.wait(1)
    assert on(cluster, "n1") == []
    cluster.agent = True
    cluster.settle()
    assert len(cluster.pods(app="web")) == 3


def test_a_node_that_comes_back_in_time_keeps_its_pods(cluster):
    cluster.deployment("web", 3)
    cluster.settle()
    cluster.store.delete("Node", "", "n1")
    cluster.settle()
    cluster.wait(30)
    cluster.node("n1", "zone-a")
    cluster.settle()
    cluster.wait(100)
    assert len(on(cluster, "n1")) == 1
    assert targets(cluster, "n1") == []


def test_a_node_out_of_service_lets_its_pods_go_without_a_kubelet(cluster):
    cluster.deployment("web", 3)
    cluster.settle()
    cluster.agent = False
    cluster.set_node("n1", "Unknown")
    (pod,) = on(cluster, "n1")
    cluster.store.delete("Pod", "default", pod["metadata"]["name"])
    cluster.settle()
    assert len(on(cluster, "n1")) == 1
    taints = cluster.store.get("Node", "", "n1")["spec"].get("taints", [])
    taints.append({"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"})
    cluster.change("Node", "n1", namespace="", taints=taints)
    cluster.settle()
    assert on(cluster, "n1") == []
