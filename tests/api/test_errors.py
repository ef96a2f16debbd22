import pytest

from switchboard.api import errors
from switchboard.api.errors import Cause
from switchboard.api.store import kind_named
from switchboard.base.findings import Finding, Severity


def test_a_status_has_the_fields_that_kubernetes_clients_read():
    cause = Cause("FieldValueRequired", "Required value", "spec.ports")
    assert errors.invalid(kind_named("Service"), "web", [cause]).status() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'Service "web" is invalid: spec.ports: Required value',
        "reason": "Invalid",
        "details": {
            "name": "web",
            "kind": "Service",
            "causes": [{"reason": "FieldValueRequired", "message": "Required value", "field": "spec.ports"}],
        },
        "code": 422,
    }


def test_several_causes_are_told_in_brackets_and_the_group_is_named():
    causes = [Cause("FieldValueInvalid", "bad", "a"), Cause("FieldValueInvalid", "worse", "b")]
    error = errors.invalid(kind_named("Deployment"), "web", causes)
    assert error.message == 'Deployment.apps "web" is invalid: [a: bad, b: worse]'
    assert error.status()["details"]["group"] == "apps"


@pytest.mark.parametrize(
    ("error", "code", "reason", "message"),
    [
        (errors.not_found(kind_named("Service"), "a"), 404, "NotFound", 'services "a" not found'),
        (
            errors.already_exists(kind_named("Deployment"), "a"),
            409,
            "AlreadyExists",
            'deployments.apps "a" already exists',
        ),
        (errors.Expired("too old"), 410, "Expired", "too old"),
        (errors.ServerTimeout("not yet"), 504, "Timeout", "not yet"),
    ],
)
def test_errors_carry_code_and_reason(error, code, reason, message):
    status = error.status()
    assert (status["code"], status["reason"], status["message"]) == (code, reason, message)


def test_a_fault_of_the_server_itself_has_no_reason():
    assert "reason" not in errors.ServerFault("resourceVersion should not be set").status()


def test_an_internal_error_repeats_its_message_as_cause():
    assert errors.InternalError("full").status()["details"]["causes"] == [{"message": "full"}]


def test_only_errors_among_findings_become_causes():
    findings = [
        Finding(reference="field-duplicate", message="twice", field="x"),
        Finding(reference="old", message="old", severity=Severity.WARNING),
    ]
    assert errors.causes_of(findings) == [Cause("FieldValueDuplicate", "twice", "x")]
