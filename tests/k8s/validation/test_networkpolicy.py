"""Rules that the recorded requests do not reach; the others are held to them in test_validation."""

import pytest

from switchboard.k8s.defaults import default
from switchboard.k8s.validation import validate


def policy(**spec):
    obj = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "a"}}
    return default({**obj, "spec": {"podSelector": {}, **spec}})


def found(obj, old=None):
    return [(f.reference, f.field) for f in validate(obj, old)]


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (policy(policyTypes=["ingress"]), [("field-not-supported", "spec.policyTypes[0]")]),
        (policy(policyTypes=["Ingress", "Egress", "Egress"]), [("field-invalid", "spec.policyTypes")]),
        (policy(ingress=[{"ports": [{"endPort": 90}]}]), [("field-invalid", "spec.ingress[0].ports[0].endPort")]),
        (
            policy(ingress=[{"ports": [{"port": 80, "endPort": 70000}]}]),
            [("field-invalid", "spec.ingress[0].ports[0].endPort")],
        ),
        (
            policy(ingress=[{"ports": [{"protocol": "tcp"}]}]),
            [("field-not-supported", "spec.ingress[0].ports[0].protocol")],
        ),
        (
            policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}]),
            [("field-forbidden", "spec.ingress[0].from[0]")],
        ),
        (
            policy(egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16", "10.1.0.0/16"]}}]}]),
            [("field-invalid", "spec.egress[0].to[0].ipBlock.except[0]")],
        ),
        (
            policy(podSelector={"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}),
            [("field-forbidden", "spec.podSelector.matchExpressions[0].values")],
        ),
    ],
)
def test_policies(obj, expected):
    assert found(obj) == expected


def test_stored_ranges_stay_accepted():
    old = policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}])
    assert found(old) == [("field-invalid", "spec.ingress[0].from[0].ipBlock.cidr")]
    assert found(old, old) == []
