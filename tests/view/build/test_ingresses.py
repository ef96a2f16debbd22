"""Whose an Ingress is, and what its rules refer to."""

from typing import Any

import pytest

from switchboard.view.build.ingresses import ServicePorts, classes, ours, rules
from switchboard.view.service import ServicePort

NGINX = "k8s.io/ingress-nginx"


def ingress_class(name: str, controller: str = NGINX, *, default: bool = False, created: str = "") -> dict[str, Any]:
    annotations = {"switchboard.dev/publish-service": f"gw/{name}"}
    if default:
        annotations["ingressclass.kubernetes.io/is-default-class"] = "true"
    metadata = {"name": name, "annotations": annotations, "creationTimestamp": created}
    return {"metadata": metadata, "spec": {"controller": controller}}


def ingress(
    name: str = "i", /, annotations: dict[str, Any] | None = None, created: str = "", **spec: Any
) -> dict[str, Any]:
    metadata = {"namespace": "ns", "name": name, "annotations": annotations or {}, "creationTimestamp": created}
    return {"metadata": metadata, "spec": spec}


KNOWN = [ingress_class("nginx"), ingress_class("own", "switchboard.dev/gateway"), ingress_class("other", "x.test/y")]
BY_ANNOTATION = {"kubernetes.io/ingress.class": "nginx"}


def test_two_controllers_are_ours() -> None:
    assert classes(KNOWN).services == {"nginx": "gw/nginx", "own": "gw/own"}


@pytest.mark.parametrize(
    ("obj", "served", "told"),
    [
        (ingress(ingressClassName="nginx"), "nginx", []),
        (ingress(ingressClassName="own"), "own", []),
        (ingress(ingressClassName="other"), None, []),
        (ingress(ingressClassName="missing"), None, ["unknown-ingress-class"]),
        (ingress(), None, ["no-ingress-class"]),
        (ingress(annotations=BY_ANNOTATION), "nginx", []),
        (ingress(annotations={"kubernetes.io/ingress.class": "foreign"}), None, []),
        (ingress(annotations={"kubernetes.io/ingress.class": "other"}, ingressClassName="nginx"), None, []),
    ],
)
def test_annotation_then_field(obj: dict[str, Any], served: str | None, told: list[str]) -> None:
    findings: list[Any] = []
    found = ours([obj], classes(KNOWN), findings)
    assert [facts.class_name for facts, _ in found] == ([served] if served else [])
    assert [f.reference for f in findings] == told


@pytest.mark.parametrize(
    ("defaults", "served"),
    [
        ([ingress_class("nginx", default=True)], "nginx"),
        ([ingress_class("other", "x.test/y", default=True)], None),
        ([ingress_class("nginx", default=True), ingress_class("b", default=True, created="2026")], "b"),
        ([ingress_class("z", default=True), ingress_class("a", default=True)], "a"),
    ],
)
def test_the_default_class_takes_those_without(defaults: list[Any], served: str | None) -> None:
    found = ours([ingress()], classes(defaults), [])
    assert [facts.class_name for facts, _ in found] == ([served] if served else [])


def test_oldest_first_then_by_name_and_without_the_deleted() -> None:
    gone = ingress("gone", ingressClassName="nginx")
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    objects = [
        ingress("b", ingressClassName="nginx", created="2026-01-02T00:00:00Z"),
        ingress("c", ingressClassName="nginx", created="2026-01-01T00:00:00Z"),
        ingress("a", ingressClassName="nginx", created="2026-01-02T00:00:00Z"),
        gone,
    ]
    assert [f.name for f, _ in ours(objects, classes(KNOWN), [])] == ["c", "a", "b"]


def test_empty_annotations_are_unset() -> None:
    prefix = "nginx.ingress.kubernetes.io/"
    obj = ingress(
        annotations={f"{prefix}app-root": " ", f"{prefix}use-regex": "true ", "x/y": "z"}, ingressClassName="nginx"
    )
    ((facts, _),) = ours([obj], classes(KNOWN), [])
    assert facts.options == {"use-regex": "true"}


PORTS = ServicePorts(
    ServicePort(namespace=space, name="s", port_name=name, protocol=protocol, port=number)
    for space, name, number, protocol in (
        ("ns", "web", 80, "TCP"),
        ("ns", "admin", 81, "TCP"),
        ("ns", "dns", 53, "UDP"),
        ("elsewhere", "web", 99, "TCP"),
    )
)


def backend(**port: Any) -> dict[str, Any]:
    return {"service": {"name": "s", "port": port}}


def compiled(paths: list[Any], **spec: Any) -> tuple[list[Any], list[str]]:
    findings: list[Any] = []
    obj = ingress(ingressClassName="nginx", rules=[{"host": "A.test", "http": {"paths": paths}}], **spec)
    ((facts, _),) = ours([obj], classes(KNOWN), findings)
    return rules(facts, obj, PORTS, findings), [f.reference for f in findings]


@pytest.mark.parametrize(
    ("given", "key", "told"),
    [
        (backend(number=80), "ns/s:web/TCP", []),
        (backend(name="admin"), "ns/s:admin/TCP", []),
        (backend(number=53), "", ["backend-port-missing"]),
        (backend(number=99), "", ["backend-port-missing"]),
        (backend(name="none"), "", ["backend-port-missing"]),
        (backend(), "", ["backend-port-missing"]),
        ({"service": {"name": "gone", "port": {"number": 80}}}, "", ["backend-service-missing"]),
        ({"resource": {"kind": "Bucket", "name": "b"}}, None, ["backend-unusable"]),
        ({}, None, ["backend-unusable"]),
        ("nonsense", None, ["backend-unusable"]),
    ],
)
def test_backends_by_number_and_name(given: Any, key: str | None, told: list[str]) -> None:
    (rule,), said = compiled([{"path": "/", "pathType": "Prefix", "backend": given}])
    assert (rule.backend and rule.backend.service_port) == key
    assert said == told


@pytest.mark.parametrize(
    ("path", "wanted", "told"),
    [
        ({"path": "/x", "pathType": "Exact"}, ("/x", "Exact"), []),
        ({"pathType": "ImplementationSpecific"}, ("/", "ImplementationSpecific"), []),
        ({"pathType": "Prefix"}, None, ["path-not-absolute"]),
        ({"path": "x", "pathType": "ImplementationSpecific"}, None, ["path-not-absolute"]),
        ({"path": "/x"}, None, ["path-type-unknown"]),
        ({"path": "/x", "pathType": "exact"}, None, ["path-type-unknown"]),
    ],
)
def test_paths(path: dict[str, Any], wanted: tuple[str, str] | None, told: list[str]) -> None:
    found, said = compiled([{**path, "backend": backend(number=80)}])
    assert [(r.path, r.path_type) for r in found] == ([wanted] if wanted else [])
    assert said == told


def test_hosts_are_lower_case_and_a_default_backend_is_of_each_host() -> None:
    path = {"path": "/x", "pathType": "Prefix", "backend": backend(number=80)}
    found, _ = compiled([path], defaultBackend=backend(number=81))
    assert [(r.host, r.path, r.default) for r in found] == [("a.test", "/x", False), ("a.test", "/", True)]
    alone, _ = compiled([], defaultBackend=backend(number=81))
    assert [(r.host, r.default) for r in alone] == [("a.test", True)]
