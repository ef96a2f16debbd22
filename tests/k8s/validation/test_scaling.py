"""Rules that the recorded requests do not reach; the others are held to them in test_validation."""

import pytest

from switchboard.k8s.defaults import default
from switchboard.k8s.validation import validate

TARGET = {"scaleTargetRef": {"kind": "Deployment", "name": "a"}, "maxReplicas": 3}


def found(kind, version, spec):
    obj = {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": spec}
    return [(f.reference, f.field) for f in validate(default(obj))]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"minReplicas": 4}, [("field-invalid", "spec.maxReplicas")]),
        ({"scaleTargetRef": {"kind": "Deployment"}}, [("field-required", "spec.scaleTargetRef.name")]),
        ({"metrics": [{"type": "Pods"}]}, [("field-required", "spec.metrics[0].pods")]),
        (
            {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 3601, "policies": [{"type": "x", "value": 0}]}}},
            [
                ("field-invalid", "spec.behavior.scaleDown.stabilizationWindowSeconds"),
                ("field-not-supported", "spec.behavior.scaleDown.policies[0].type"),
                ("field-invalid", "spec.behavior.scaleDown.policies[0].value"),
                ("field-invalid", "spec.behavior.scaleDown.policies[0].periodSeconds"),
            ],
        ),
    ],
)
def test_autoscalers(change, expected):
    assert found("HorizontalPodAutoscaler", "autoscaling/v2", {**TARGET, **change}) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"maxUnavailable": "100%"}, []),
        (
            {"minAvailable": 0, "selector": {"matchLabels": {"a": "b c"}}},
            [("field-invalid", "spec.selector.matchLabels")],
        ),
    ],
)
def test_budgets(spec, expected):
    assert found("PodDisruptionBudget", "policy/v1", spec) == expected
