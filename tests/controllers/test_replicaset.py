def replica_set(cluster, template, replicas, name="rs", labels=None):
    labels = labels or {"app": "a"}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template(labels)}
    return cluster.create("ReplicaSet", name, spec=spec)


def test_it_makes_and_removes_pods(cluster, template):
    replica_set(cluster, template, 3)
    cluster.settle()
    assert len(cluster.pods(app="a")) == 3
    cluster.change("ReplicaSet", "rs", replicas=1)
    cluster.settle()
    assert len(cluster.pods(app="a")) == 1
    assert cluster.store.get("ReplicaSet", "default", "rs")["status"] == {
        "replicas": 1,
        "fullyLabeledReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "observedGeneration": 2,
    }


def test_a_lost_pod_is_replaced_and_events_tell(cluster, template):
    replica_set(cluster, template, 2)
    cluster.settle()
    lost = cluster.pods(app="a")[0]["metadata"]["name"]
    cluster.store.delete("Pod", "default", lost)
    cluster.settle()
    names = {p["metadata"]["name"] for p in cluster.pods(app="a")}
    assert len(names) == 2
    assert lost not in names
    assert len(cluster.events("SuccessfulCreate")) == 3


def test_unready_pods_are_the_first_to_go(cluster, template):
    replica_set(cluster, template, 3)
    cluster.settle()
    sick = cluster.pods(app="a")[1]
    cluster.set_ready(sick, False)
    cluster.change("ReplicaSet", "rs", replicas=2)
    cluster.settle()
    assert sick["metadata"]["name"] not in {p["metadata"]["name"] for p in cluster.pods(app="a")}


def test_a_pod_with_a_lower_deletion_cost_goes_before_others(cluster, template):
    replica_set(cluster, template, 3)
    cluster.settle()
    cheap = cluster.pods(app="a")[2]
    cheap["metadata"]["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": "-5"}
    cluster.store.update(cheap)
    cluster.change("ReplicaSet", "rs", replicas=2)
    cluster.settle()
    assert cheap["metadata"]["name"] not in {p["metadata"]["name"] for p in cluster.pods(app="a")}


def test_an_orphan_that_matches_is_adopted(cluster, template):
    cluster.create("Pod", "alone", labels={"app": "a"}, spec=template({"app": "a"})["spec"])
    replica_set(cluster, template, 2)
    cluster.settle()
    names = {p["metadata"]["name"] for p in cluster.pods(app="a")}
    assert "alone" in names
    assert len(names) == 2
    owner = cluster.store.get("Pod", "default", "alone")["metadata"]["ownerReferences"][0]
    assert (owner["name"], owner["controller"]) == ("rs", True)


def test_a_pod_whose_labels_change_is_released_and_replaced(cluster, template):
    replica_set(cluster, template, 1)
    cluster.settle()
    pod = cluster.pods(app="a")[0]
    pod["metadata"]["labels"] = {"app": "debug"}
    cluster.store.update(pod)
    cluster.settle()
    assert "ownerReferences" not in cluster.store.get("Pod", "default", pod["metadata"]["name"])["metadata"]
    assert len(cluster.pods(app="a")) == 1


def test_failed_pods_are_replaced(cluster, template):
    replica_set(cluster, template, 1)
    cluster.settle()
    pod = cluster.pods(app="a")[0]
    cluster.store.update_status({**pod, "status": {**pod["status"], "phase": "Failed"}})
    cluster.settle()
    assert len([p for p in cluster.pods(app="a") if p["status"]["phase"] == "Running"]) == 1
