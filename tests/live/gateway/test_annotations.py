"""Every annotation's own table of requests, asked of a real Envoy: one host per example."""

from typing import Any

import pytest

from switchboard.compile.gateway.annotate import known
from switchboard.compile.gateway.draft import Example
from switchboard.view.service import Endpoint, ServicePort

pytestmark = pytest.mark.live

PREFIX = "nginx.ingress.kubernetes.io/"
EXAMPLES = [
    (f"{name}-{number}", example)
    for name, annotation in known().items()
    for number, example in enumerate(annotation.examples)
]


@pytest.fixture(scope="module")
def serving(rig: Any) -> Any:
    """All examples at once: an example must not disturb another, either."""
    services = tuple(
        ServicePort(
            namespace="ns",
            name=name,
            port_name="http",
            protocol="TCP",
            port=80,
            endpoints=(Endpoint(rig.pods.start(f"ns/{name}", name, [8080]), 8080),),
        )
        for name in ("main", "canary")
    )
    objects = [o for name, example in EXAMPLES for o in _ingresses(name, example)]
    ingress_class = {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}}
    rig.apply({"Ingress": objects, "IngressClass": [ingress_class]}, services)
    return rig


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_example(name: str, example: Example, serving: Any) -> None:
    host = f"{name}.test"
    answer = serving.request(host, example.path, scheme=example.scheme, headers=list(example.headers.items()))
    assert (answer.status, answer.backend) == (example.status, f"ns/{example.backend}" if example.backend else "")
    assert (answer.header("location") or "") == example.location.replace("{host}", host)
    if example.seen_path:
        assert answer.echo["path"] == example.seen_path


def test_every_annotation_has_examples() -> None:
    assert [name for name, annotation in known().items() if not annotation.examples] == []


def _ingresses(name: str, example: Example) -> list[dict[str, Any]]:
    made = [_ingress(name, "main", example.main, example)]
    if example.canary is not None:
        made.append(_ingress(name, "canary", example.canary, example))
    return made


def _ingress(name: str, backend: str, annotations: dict[str, str], example: Example) -> dict[str, Any]:
    service = {"name": backend, "port": {"number": 80}}
    path = {"path": example.path_rule, "pathType": example.path_type, "backend": {"service": service}}
    spec: dict[str, Any] = {
        "ingressClassName": "nginx",
        "rules": [{"host": f"{name}.test", "http": {"paths": [path]}}],
    }
    if example.tls:
        spec["tls"] = [{"hosts": [f"{name}.test"], "secretName": "missing"}]
    metadata = {
        "namespace": "ns",
        "name": f"{name}-{backend}",
        "annotations": {PREFIX + key: value for key, value in annotations.items()},
    }
    return {"kind": "Ingress", "metadata": metadata, "spec": spec}
