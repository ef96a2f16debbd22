import pytest


def make(cluster, template, replicas=3, **spec):
    spec = {"replicas": replicas, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}}, **spec}
    return cluster.create("StatefulSet", "db", spec={"template": template({"app": "db"}), **spec})


def names(cluster):
    return sorted(p["metadata"]["name"] for p in cluster.pods(app="db"))


def step(cluster):
    cluster.loop.run_until_settled()
    seen = names(cluster)
    cluster.act()
    return seen


def test_pods_come_one_after_the_other(cluster, template):
    make(cluster, template)
    assert [step(cluster) for _ in range(3)] == [["db-0"], ["db-0", "db-1"], ["db-0", "db-1", "db-2"]]


def test_parallel_pods_come_at_once(cluster, template):
    make(cluster, template, podManagementPolicy="Parallel")
    assert step(cluster) == ["db-0", "db-1", "db-2"]


def test_pods_have_a_stable_name_and_labels(cluster, template):
    make(cluster, template, 1, ordinals={"start": 5})
    cluster.settle()
    pod = cluster.pods(app="db")[0]
    assert pod["metadata"]["name"] == "db-5"
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-5", "db")
    assert pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] == "db-5"
    assert pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "5"


def test_scaling_down_takes_the_highest_first(cluster, template):
    make(cluster, template)
    cluster.settle()
    cluster.change("StatefulSet", "db", replicas=1)
    cluster.loop.run_until_settled()
    going = [p["metadata"]["name"] for p in cluster.pods(app="db") if p["metadata"].get("deletionTimestamp")]
    assert going == ["db-2"]
    cluster.settle()
    assert names(cluster) == ["db-0"]


def images(cluster):
    return {p["metadata"]["name"]: p["spec"]["containers"][0]["image"] for p in cluster.pods(app="db")}


@pytest.mark.parametrize(
    ("strategy", "updated"),
    [
        ({"type": "RollingUpdate"}, {"db-0", "db-1", "db-2"}),
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}, {"db-2"}),
        ({"type": "OnDelete"}, set()),
    ],
)
def test_an_update_reaches_the_pods_that_the_strategy_says(cluster, template, strategy, updated):
    make(cluster, template, updateStrategy=strategy)
    cluster.settle()
    cluster.change("StatefulSet", "db", template=template({"app": "db"}, "app:2"))
    cluster.settle()
    assert {name for name, image in images(cluster).items() if image == "app:2"} == updated


def test_an_update_replaces_one_pod_at_a_time_from_the_top(cluster, template):
    make(cluster, template)
    cluster.settle()
    cluster.change("StatefulSet", "db", template=template({"app": "db"}, "app:2"))
    cluster.loop.run_until_settled()
    going = [p["metadata"]["name"] for p in cluster.pods(app="db") if p["metadata"].get("deletionTimestamp")]
    assert going == ["db-2"]


def test_the_status_counts(cluster, template):
    make(cluster, template, 2)
    cluster.settle()
    status = cluster.store.get("StatefulSet", "default", "db")["status"]
    revision = status["currentRevision"]
    assert status == {
        "observedGeneration": 1,
        "replicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "currentReplicas": 2,
        "updatedReplicas": 2,
        "currentRevision": revision,
        "updateRevision": revision,
        "collisionCount": 0,
    }


def revisions(cluster):
    found = cluster.store.list("ControllerRevision")[0]
    return [r["metadata"]["name"] for r in sorted(found, key=lambda r: r["revision"])]


def update(cluster, image):
    template = cluster.store.get("StatefulSet", "default", "db")["spec"]["template"]
    template["spec"]["containers"][0]["image"] = image
    cluster.change("StatefulSet", "db", template=template)
    cluster.settle()


def test_each_template_is_a_revision_that_pods_and_status_name(cluster, template):
    make(cluster, template, 1)
    cluster.settle()
    update(cluster, "app:2")
    first, second = revisions(cluster)
    assert cluster.pods(app="db")[0]["metadata"]["labels"]["controller-revision-hash"] == second
    status = cluster.store.get("StatefulSet", "default", "db")["status"]
    assert (status["currentRevision"], status["updateRevision"]) == (second, second)
    update(cluster, "app:1")
    assert revisions(cluster) == [second, first]


def test_a_pod_below_the_partition_comes_back_as_it_was(cluster, template):
    make(cluster, template, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})
    cluster.settle()
    update(cluster, "app:2")
    cluster.store.delete("Pod", "default", "db-0")
    cluster.settle()
    assert images(cluster) == {"db-0": "app:1", "db-1": "app:1", "db-2": "app:2"}
