import pytest

from switchboard.k8s.acceptance import review
from switchboard.k8s.manifests import load


def reviewed(text):
    manifests, findings = load(text, "f")
    assert findings == []
    return [(f.reference, f.field, f.place.line, f.place.column) for f in review(manifests)]


SERVICE = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SERVICE + "  ports:\n  - port: 80\n", []),
        (SERVICE + "  type: NodePort\n", [("field-required", "spec.ports", 5, 1)]),
        (SERVICE + "  ports:\n  - port: 0\n    targetPort: 1\n", [("field-invalid", "spec.ports[0].port", 7, 5)]),
        (
            SERVICE + "  clusterIP: x\n  ports:\n  - port: 80\n",
            [("field-invalid", "spec.clusterIPs[0]", 6, 3)],
        ),
        (
            SERVICE + "  type: LoadBalancer\n  loadBalancerSourceRanges:\n  - x\n  ports:\n  - port: 80\n",
            [("field-invalid", "spec.LoadBalancerSourceRanges[0]", 8, 5)],
        ),
        (
            SERVICE + "  type: NodePort\n  ports:\n  - port: 80\n    nodePort: x\n    name: X\n",
            [("wrong-type", "spec.ports[0].nodePort", 9, 5)],
        ),
        (
            SERVICE + "  port: 80\n  ports:\n  - name: X\n    port: 80\n",
            [("unknown-field", "spec.port", 6, 3), ("field-invalid", "spec.ports[0].name", 8, 5)],
        ),
        ("apiVersion: v1\nkind: ConfigMap\n", [("field-required", "metadata.name", 1, 1)]),
        ("apiVersion: example.com/v1\nkind: A\nmetadata: {name: a}\n", [("custom-resource", "", 1, 1)]),
    ],
)
def test_structure_and_rules_with_places(text, expected):
    assert reviewed(text) == expected


def test_paths_that_kubernetes_writes_otherwise_lead_to_the_annotation():
    text = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: i\n  annotations:\n"
    text += "    kubernetes.io/ingress.class: a\nspec:\n  ingressClassName: b\n"
    text += "  defaultBackend: {service: {name: a, port: {number: 80}}}\n"
    assert reviewed(text) == [("field-invalid", "annotations.kubernetes.io/ingress.class", 6, 5)]


def test_a_missing_field_is_told_once():
    text = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\nspec:\n  rules:\n"
    text += "  - http:\n      paths:\n      - backend: {service: {name: a, port: {number: 80}}}\n"
    assert reviewed(text) == [("field-required", "spec.rules[0].http.paths[0].pathType", 8, 9)]


def test_the_same_object_twice_names_both_places():
    one = SERVICE + "  ports:\n  - port: 80\n"
    manifests, _ = load(one + "---\n" + one.replace("name: web", "name: web\n  namespace: default"), "f")
    findings = review(manifests)
    assert [(f.reference, f.severity, f.place.line) for f in findings] == [("duplicate-object", "warning", 12)]
    assert "f:1:1" in findings[0].message
