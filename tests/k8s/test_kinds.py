import pytest

from switchboard.k8s import kinds


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ("svc", "Service"),
        ("pods", "Pod"),
        ("Deployment", "Deployment"),
        ("deployments.apps", "Deployment"),
        ("netpol", "NetworkPolicy"),
        ("ing", "Ingress"),
        ("ev", "Event"),
        ("hpa", "HorizontalPodAutoscaler"),
    ],
)
def test_find_understands_what_kubectl_understands(asked, kind):
    found = kinds.find(asked)
    assert found is not None
    assert found.kind == kind
    assert found.preferred


def test_find_does_not_guess():
    assert kinds.find("gadgets") is None


def test_events_without_group_are_the_core_ones():
    assert kinds.find("events").group == ""
    assert kinds.find("events.events.k8s.io").group == "events.k8s.io"


def test_kind_of_needs_the_right_version():
    assert kinds.kind_of("networking.k8s.io/v1", "Ingress").plural == "ingresses"
    assert kinds.kind_of("extensions/v1beta1", "Ingress") is None


def test_paths():
    assert kinds.find("svc").path("n", "a") == "/api/v1/namespaces/n/services/a"
    assert kinds.find("node").path("n", "a") == "/api/v1/nodes/a"
    assert kinds.find("ingress").path() == "/apis/networking.k8s.io/v1/ingresses"


def test_kinds_are_unique():
    assert len({(k.api_version, k.kind) for k in kinds.KINDS}) == len(kinds.KINDS)
    assert len({(k.api_version, k.plural) for k in kinds.KINDS}) == len(kinds.KINDS)


def test_named_puts_the_preferred_version_first():
    assert [k.version for k in kinds.named("horizontalpodautoscaler")] == ["v2", "v1"]
