from switchboard.api.server.versions import as_version
from switchboard.k8s.kinds import kind_of


def test_events_of_both_groups():
    old = {"apiVersion": "v1", "kind": "Event", "involvedObject": {"name": "p"}, "message": "m", "count": 2}
    new = as_version(old, kind_of("events.k8s.io/v1", "Event"))
    assert (new["regarding"], new["note"], new["deprecatedCount"]) == ({"name": "p"}, "m", 2)
    assert as_version(new, kind_of("v1", "Event")) == old


def test_autoscalers_of_both_versions():
    v1 = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
          "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 70}}  # fmt: skip
    v2 = as_version(v1, kind_of("autoscaling/v2", "HorizontalPodAutoscaler"))
    assert v2["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
    assert as_version(v2, kind_of("autoscaling/v1", "HorizontalPodAutoscaler"))["spec"] == v1["spec"]


def test_an_object_at_its_version_is_itself():
    obj = {"apiVersion": "v1", "kind": "Pod"}
    assert as_version(obj, kind_of("v1", "Pod")) is obj
