def make(cluster, template, **template_spec):
    spec = {"selector": {"matchLabels": {"app": "d"}}, "template": template({"app": "d"}, **template_spec)}
    return cluster.create("DaemonSet", "d", spec=spec)


def nodes(cluster):
    return sorted(p["spec"]["nodeName"] for p in cluster.pods(app="d"))


def test_every_node_has_one_pod_also_a_new_one(cluster, template):
    make(cluster, template)
    cluster.settle()
    assert nodes(cluster) == ["n1", "n2", "n3"]
    cluster.node("n4", "zone-a")
    cluster.settle()
    assert nodes(cluster) == ["n1", "n2", "n3", "n4"]


def test_a_node_selector_and_taints_restrict_it(cluster, template):
    cluster.node("tainted", taints=[{"key": "k", "effect": "NoSchedule"}])
    cluster.node("cordoned", unschedulable=True)
    make(cluster, template)
    cluster.settle()
    # A daemon runs on a cordoned node, and not on one whose taint it does not tolerate.
    assert nodes(cluster) == ["cordoned", "n1", "n2", "n3"]
    cluster.change("DaemonSet", "d", template=template({"app": "d"}, nodeSelector={"kubernetes.io/hostname": "n2"}))
    cluster.settle()
    assert nodes(cluster) == ["n2"]


def test_an_update_replaces_one_after_the_other(cluster, template):
    make(cluster, template)
    cluster.settle()
    cluster.change("DaemonSet", "d", template=template({"app": "d"}, "app:2"))
    cluster.loop.run_until_settled()
    assert sum(bool(p["metadata"].get("deletionTimestamp")) for p in cluster.pods(app="d")) == 1
    cluster.settle()
    assert {p["spec"]["containers"][0]["image"] for p in cluster.pods(app="d")} == {"app:2"}


def test_the_status_counts(cluster, template):
    make(cluster, template)
    cluster.settle()
    assert cluster.store.get("DaemonSet", "default", "d")["status"] == {
        "currentNumberScheduled": 3,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 3,
        "numberReady": 3,
        "observedGeneration": 1,
        "updatedNumberScheduled": 3,
        "numberAvailable": 3,
    }


def test_a_pod_stays_where_it_could_not_be_placed_now(cluster, template):
    labels = {"app": "d"}
    cluster.create("DaemonSet", "d", spec={"selector": {"matchLabels": labels}, "template": template(labels)})
    cluster.settle()
    cluster.change("Node", "n1", namespace="", taints=[{"key": "full", "effect": "NoSchedule"}])
    cluster.settle()
    assert len(cluster.pods(app="d")) == 3
    status = cluster.store.get("DaemonSet", "default", "d")["status"]
    assert (status["desiredNumberScheduled"], status["numberMisscheduled"]) == (2, 1)
    cluster.change("Node", "n1", namespace="", taints=[{"key": "full", "effect": "NoExecute"}])
    cluster.settle()
    assert len(cluster.pods(app="d")) == 2


def test_each_template_is_a_revision_for_the_history(cluster, template):
    labels = {"app": "d"}
    spec = {"selector": {"matchLabels": labels}, "template": template(labels), "revisionHistoryLimit": 1}
    cluster.create("DaemonSet", "d", annotations={"kubernetes.io/change-cause": "first"}, spec=spec)
    cluster.settle()
    (revision,) = cluster.store.list("ControllerRevision")[0]
    assert revision["revision"] == 1
    assert revision["metadata"]["annotations"] == {"kubernetes.io/change-cause": "first"}
    assert revision["data"] == {"spec": {"template": {**template(labels), "$patch": "replace"}}}
    digest = revision["metadata"]["labels"]["controller-revision-hash"]
    assert revision["metadata"]["name"] == f"d-{digest}"
    assert {p["metadata"]["labels"]["controller-revision-hash"] for p in cluster.pods(app="d")} == {digest}
    for image in ("app:2", "app:3"):
        cluster.change("DaemonSet", "d", template=template(labels, image))
        cluster.settle()
    assert sorted(r["revision"] for r in cluster.store.list("ControllerRevision")[0]) == [2, 3]


def test_pods_that_were_orphaned_belong_to_the_one_that_selects_them(cluster, template):
    labels = {"app": "d"}
    for name in ("d", "e"):
        cluster.create("DaemonSet", name, spec={"selector": {"matchLabels": labels}, "template": template(labels)})
    cluster.settle()
    assert len(cluster.pods(app="d")) == 6
    cluster.store.delete("DaemonSet", "default", "d", propagation_policy="Orphan")
    cluster.settle()
    assert [p["metadata"]["ownerReferences"][0]["name"] for p in cluster.pods(app="d")] == ["e"] * 3
