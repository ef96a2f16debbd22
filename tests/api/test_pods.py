import pytest

from switchboard.api import errors, pods
from switchboard.api.admission import KubernetesAdmission


def container(**resources):
    return {"containers": [{"name": "c", "image": "i", "resources": resources}]}


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
        ({"requests": {"cpu": "0"}}, "BestEffort"),
        ({"limits": {"cpu": "1000m", "memory": "1Gi"}, "requests": {"cpu": 1, "memory": "1024Mi"}}, "Guaranteed"),
    ],
)
def test_quality_of_service(resources, quality):
    assert pods.quality(container(**resources)) == quality


@pytest.fixture
def store(open_store):
    return open_store(KubernetesAdmission())


def pod(**spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
            "spec": {**container(), **spec}}  # fmt: skip


def test_tolerations_and_priority(store):
    made = store.create(pod())["spec"]
    assert [t["tolerationSeconds"] for t in made["tolerations"]] == [300, 300]
    assert (made["priority"], made["preemptionPolicy"]) == (0, "PreemptLowerPriority")


def test_a_pod_that_tolerates_everything_gets_nothing_added(store):
    everything = [{"operator": "Exists"}]
    assert store.create(pod(tolerations=everything))["spec"]["tolerations"] == everything


def test_priority_classes(store):
    store.create({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"},
                  "value": 7, "preemptionPolicy": "Never"})  # fmt: skip
    made = store.create(pod(priorityClassName="high"))["spec"]
    assert (made["priority"], made["preemptionPolicy"]) == (7, "Never")
    with pytest.raises(errors.Forbidden):
        store.create({**pod(priorityClassName="none"), "metadata": {"name": "q", "namespace": "default"}})


def test_limits_of_a_namespace(store):
    item = {"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "250m"}, "max": {"cpu": "2"}}
    store.create({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l", "namespace": "default"},
                  "spec": {"limits": [item]}})  # fmt: skip
    made = store.create(pod())
    assert made["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "1"}, "requests": {"cpu": "250m"}}
    assert "cpu request for container c" in made["metadata"]["annotations"]["kubernetes.io/limit-ranger"]
    with pytest.raises(errors.Forbidden):
        store.create(
            {**pod(), "spec": container(limits={"cpu": "3"}), "metadata": {"name": "q", "namespace": "default"}}
        )
