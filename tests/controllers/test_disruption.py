import pytest

from switchboard.api import eviction


def budget(cluster, selector=None, **spec):
    selector = {"matchLabels": {"app": "web"}} if selector is None else selector
    return cluster.create("PodDisruptionBudget", "b", spec={"selector": selector, **spec})


def status(cluster):
    return cluster.store.get("PodDisruptionBudget", "default", "b")["status"]


def counts(cluster):
    found = status(cluster)
    return tuple(found[f] for f in ("expectedPods", "currentHealthy", "desiredHealthy", "disruptionsAllowed"))


def condition(cluster):
    (found,) = status(cluster)["conditions"]
    return found["status"], found["reason"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 2}, (4, 4, 2, 2)),
        ({"minAvailable": 9}, (4, 4, 9, 0)),
        ({"minAvailable": "51%"}, (4, 4, 3, 1)),
        ({"maxUnavailable": 1}, (4, 4, 3, 1)),
        ({"maxUnavailable": "30%"}, (4, 4, 2, 2)),
        ({"maxUnavailable": 0}, (4, 4, 4, 0)),
        ({"maxUnavailable": "100%"}, (4, 4, 0, 4)),
    ],
)
def test_counts(cluster, spec, expected):
    budget(cluster, **spec)
    cluster.deployment("web", 4)
    cluster.settle()
    assert counts(cluster) == expected
    assert condition(cluster) == (("True", "SufficientPods") if expected[3] else ("False", "InsufficientPods"))
    assert status(cluster)["observedGeneration"] == 1


def test_pods_that_are_not_ready_are_not_healthy(cluster):
    budget(cluster, maxUnavailable=1)
    cluster.deployment("web", 3)
    cluster.settle()
    cluster.set_ready(cluster.pods(app="web")[0], False)
    cluster.settle()
    assert counts(cluster) == (3, 2, 2, 0)


def test_a_rollout_in_progress_counts_the_deployment_and_not_its_replica_sets(cluster):
    budget(cluster, maxUnavailable=1)
    cluster.deployment("web", 4)
    cluster.settle()
    cluster.agent = False
    found = cluster.store.get("Deployment", "default", "web")["spec"]["template"]
    found["spec"]["containers"][0]["image"] = "app:2"
    cluster.change("Deployment", "web", template=found)
    cluster.settle()
    assert len(cluster.pods(app="web")) > 4
    assert status(cluster)["expectedPods"] == 4
    cluster.change("Deployment", "web", replicas=8)
    cluster.settle()
    assert status(cluster)["desiredHealthy"] == 7


def test_without_pods_nothing_is_allowed_and_people_are_told(cluster):
    cluster.settle()
    budget(cluster, minAvailable=0)
    cluster.settle()
    assert counts(cluster) == (0, 0, 0, 0)
    assert [e["message"] for e in cluster.events("NoPods")] == ["No matching pods found"]


def test_an_eviction_counts_until_the_pod_has_gone_or_is_late(cluster):
    budget(cluster, maxUnavailable=1)
    cluster.deployment("web", 3)
    cluster.settle()
    pod = cluster.pods(app="web")[0]
    stored = cluster.store.get("PodDisruptionBudget", "default", "b")
    cluster.store.update_status(eviction.decide(pod, [stored], cluster.now).budget)
    cluster.settle()
    assert counts(cluster) == (3, 2, 2, 0)
    assert list(status(cluster)["disruptedPods"]) == [pod["metadata"]["name"]]
    cluster.wait(121)
    assert counts(cluster) == (3, 3, 2, 1)
    assert "disruptedPods" not in status(cluster)
    assert [e["involvedObject"]["kind"] for e in cluster.events("NotDeleted")] == ["Pod"]


def test_an_evicted_pod_is_replaced_and_frees_its_disruption(cluster):
    budget(cluster, maxUnavailable=1)
    cluster.deployment("web", 3)
    cluster.settle()
    pod = cluster.pods(app="web")[0]
    stored = cluster.store.get("PodDisruptionBudget", "default", "b")
    cluster.store.update_status(eviction.decide(pod, [stored], cluster.now).budget)
    cluster.store.delete("Pod", "default", pod["metadata"]["name"])
    cluster.settle()
    assert counts(cluster) == (3, 3, 2, 1)
    assert "disruptedPods" not in status(cluster)


def test_pods_whose_size_nobody_knows_make_it_fail_safe(cluster):
    budget(cluster, maxUnavailable=1)
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "a"}]}}
    cluster.create("DaemonSet", "d", spec={"selector": {"matchLabels": labels}, "template": template})
    cluster.settle()
    assert condition(cluster) == ("False", "SyncFailed")
    assert status(cluster)["disruptionsAllowed"] == 0
    assert cluster.events("CalculateExpectedPodCountFailed")


def test_pods_of_nobody_are_told(cluster, template):
    budget(cluster, {}, maxUnavailable="50%")
    cluster.create("Pod", "alone", labels={"x": "y"}, spec=template({})["spec"])
    cluster.settle()
    assert counts(cluster)[0] == 0
    assert "alone" in cluster.events("UnmanagedPods")[0]["message"]
