"""Rules that the recorded requests do not reach; the others are held to them in test_validation."""

import pytest

from switchboard.k8s.defaults import default
from switchboard.k8s.validation import validate

BACKEND = {"service": {"name": "a", "port": {"number": 80}}}


def found(spec, old=None, kind="Ingress"):
    def make(spec):
        return default({"apiVersion": "networking.k8s.io/v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec})

    return [(f.reference, f.field) for f in validate(make(spec), make(old) if old else None)]


def path(**values):
    return {"rules": [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND, **values}]}}]}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (path(), []),
        (path(path="/a/."), [("field-invalid", "spec.rules[0].http.paths[0].path")]),
        (path(path="a", pathType="ImplementationSpecific"), [("field-invalid", "spec.rules[0].http.paths[0].path")]),
        (path(path="/a%2Fb"), [("field-invalid", "spec.rules[0].http.paths[0].path")]),
        (
            path(backend={"service": {"port": {"number": 80}}}),
            [("field-required", "spec.rules[0].http.paths[0].backend.service.name")],
        ),
        (
            path(backend={"service": {"name": "a", "port": {"number": 80, "name": "b"}}}),
            [("field-invalid", "spec.rules[0].http.paths[0].backend")],
        ),
        (
            path(backend={"resource": {"apiGroup": "A_", "kind": "B", "name": "c"}}),
            [("field-invalid", "spec.rules[0].http.paths[0].backend.resource.apiGroup")],
        ),
        ({**path(), "tls": [{"secretName": "A_"}]}, [("field-invalid", "spec.tls[0].secretName")]),
    ],
)
def test_ingresses(spec, expected):
    assert found(spec) == expected


def test_the_old_form_of_a_backend_is_explained():
    obj = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "a"}}
    findings = validate({**obj, "spec": path(backend={"serviceName": "a", "servicePort": 80})})
    assert "serviceName" in findings[0].hint


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"controller": "example.com/a"}, []),
        ({"controller": "example.com"}, [("field-invalid", "spec.controller")]),
        ({"controller": "a.b/c", "parameters": {"kind": "A", "name": "b"}}, []),
        (
            {"controller": "a.b/c", "parameters": {"kind": "A", "name": "b", "scope": "Namespace"}},
            [("field-required", "spec.parameters.namespace")],
        ),
        (
            {"controller": "a.b/c", "parameters": {"kind": "A", "name": "b", "namespace": "c"}},
            [("field-forbidden", "spec.parameters.namespace")],
        ),
    ],
)
def test_classes(spec, expected):
    assert found(spec, kind="IngressClass") == expected


def test_the_controller_of_a_class_stays():
    assert found({"controller": "a.b/c"}, {"controller": "a.b/d"}, kind="IngressClass") == [
        ("field-invalid", "spec.controller")
    ]
