from switchboard.api.server.resources import Resources
from switchboard.k8s.kinds import KINDS, Kind


def test_every_kind_is_served_and_reviews_are_only_created():
    resources = Resources()
    for kind in KINDS:
        assert resources.find(kind.group, kind.version, kind.plural).stored
    review = resources.find("authorization.k8s.io", "v1", "subjectaccessreviews")
    assert (review.verbs, review.stored) == (("create",), False)
    assert resources.find("apps", "v2", "deployments") is None


def test_subresources():
    pods = Resources().find("", "v1", "pods")
    assert {"status", "eviction", "binding", "log"} < {s.name for s in pods.subresources}
    assert "deletecollection" not in Resources().find("", "v1", "namespaces").verbs
    assert Resources().find("apps", "v1", "deployments").subresource("scale").group == "autoscaling"


def test_custom_kinds_come_and_go():
    served: list[Kind] = []
    resources = Resources(lambda: served)
    assert resources.find("x.dev", "v1", "toys") is None
    served.append(Kind(group="x.dev", version="v1", kind="Toy", plural="toys", singular="toy", custom=True))
    assert resources.find("x.dev", "v1", "toys").kind.kind == "Toy"
    assert list(resources.groups()["x.dev"]) == ["v1"]
