from datetime import UTC, datetime
from itertools import count

import pytest

from switchboard.api.admission import KubernetesAdmission
from switchboard.api.store import Store
from switchboard.k8s.manifests import load
from switchboard.run.applying import apply

MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: "app:1"}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
"""


@pytest.fixture
def store():
    numbers = count(1)
    return Store(
        clock=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC),
        uid=lambda: str(next(numbers)),
        randrange=lambda n: 0,
        admission=KubernetesAdmission(),
    )


def manifests(text):
    found, findings = load(text, "shop.yaml")
    assert findings == []
    return found


def test_references_come_before_those_who_refer(store):
    done = apply(store, manifests(MANIFESTS))
    assert done.findings == ()
    assert [(r.object["kind"], r.action) for r in done.results] == [
        ("Namespace", "created"),
        ("Service", "created"),
        ("Deployment", "created"),
    ]


def test_applying_again_changes_nothing(store):
    apply(store, manifests(MANIFESTS))
    version = store.resource_version
    again = apply(store, manifests(MANIFESTS))
    assert {r.action for r in again.results} == {"unchanged"}
    assert store.resource_version == version


def test_a_change_keeps_what_others_set_and_removes_what_was_left_out(store):
    apply(store, manifests(MANIFESTS))
    live = store.get("Deployment", "shop", "web")
    live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"
    store.update(live)
    port = store.get("Service", "shop", "web")["spec"]["ports"][0]["nodePort"]
    changed = MANIFESTS.replace("app:1", "app:2").replace("  selector: {app: web}\n", "")
    assert [r.action for r in apply(store, manifests(changed)).results] == ["unchanged", "configured", "configured"]
    live = store.get("Deployment", "shop", "web")
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "app:2"
    assert live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    service = store.get("Service", "shop", "web")["spec"]
    assert "selector" not in service
    assert service["ports"][0]["nodePort"] == port


def test_nothing_is_written_when_one_object_is_refused_and_each_refusal_has_its_place(store):
    version = store.resource_version
    bad = MANIFESTS.replace("port: 80", "port: 80, protocol: ICMP")
    bad = bad.replace("web, namespace: shop", "web, namespace: nope", 1)
    done = apply(store, manifests(bad))
    assert (done.results, store.resource_version) == ((), version)
    assert [(f.object, f.field, f.place.line) for f in done.findings] == [
        ("Service shop/web", "spec.ports[0].protocol", 18),
        ("Deployment nope/web", "", 2),
    ]
    assert done.findings[1].message == 'namespaces "nope" not found'


def test_two_services_cannot_ask_for_one_port(store):
    text = MANIFESTS.replace("{port: 80}", "{port: 80, nodePort: 30100}")
    other = text.split("---")[1].replace("name: web", "name: other")
    done = apply(store, manifests(f"{text}---{other}"))
    assert [(f.object, f.field) for f in done.findings] == [("Service shop/other", "spec.ports[0].nodePort")]


def test_objects_without_a_namespace_go_to_the_default_one(store):
    done = apply(store, [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}}])
    assert done.results[0].object["metadata"]["namespace"] == "default"


def test_an_unknown_kind_is_a_finding(store):
    done = apply(store, [{"apiVersion": "e.com/v1", "kind": "Gadget", "metadata": {"name": "g"}}])
    assert 'no matches for kind "Gadget"' in done.findings[0].message
