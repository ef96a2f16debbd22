"""The recorded answers of kube-apiserver 1.36 decide what is refused, at which field, for which reason."""

import copy

import pytest

from switchboard.k8s.defaults import default
from switchboard.k8s.service_update import carried
from switchboard.k8s.validation import REASONS, validate

# Refusals that validation by itself does not make, with the reason.
UNKNOWN: dict[str, str] = {}


def merged(target, patch):
    """A JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def causes(findings):
    return sorted({(f.field, REASONS[f.reference]) for f in findings if f.severity == "error"})


def expected(case):
    return sorted({tuple(cause) for cause in case["causes"]})


def test_what_was_accepted_has_no_error(accepted):
    before = copy.deepcopy(accepted["send"])
    findings = validate(default(accepted["send"]))
    assert causes(findings) == []
    assert accepted["send"] == before
    if "warning" in accepted:
        assert any(f.severity == "warning" for f in findings) == accepted["warning"]


def test_what_was_refused_is_refused_at_the_same_fields_for_the_same_reasons(refused):
    findings = validate(default(refused["send"]))
    agrees = causes(findings) == expected(refused)
    assert agrees == (refused["id"] not in UNKNOWN)
    for finding in findings:
        assert finding.hint
        assert finding.object.startswith(refused["send"]["kind"])


def test_updates_that_were_refused_are_refused(refused_update):
    old = default(refused_update["old"])
    sent = refused_update["send"]
    new = default(merged(refused_update["old"], sent) if refused_update["method"] == "PATCH" else sent)
    assert causes(validate(carried(new, old), old)) == expected(refused_update)


@pytest.mark.parametrize("kind", ["Service", "Pod", "Deployment", "Ingress", "NetworkPolicy", "CronJob", "Thing"])
@pytest.mark.parametrize(
    "rest", [{}, {"spec": []}, {"spec": {"ports": 3, "template": 4, "rules": [1]}}, {"metadata": []}]
)
def test_objects_of_wrong_shape_do_not_raise(kind, rest):
    versions = {"Deployment": "apps/v1", "CronJob": "batch/v1", "Ingress": "networking.k8s.io/v1"}
    obj = {"apiVersion": versions.get(kind, "v1"), "kind": kind, **rest}
    for candidate in (obj, default(obj)):
        validate(candidate)
        validate(candidate, candidate)
