"""Rules that the recorded requests do not reach; the others are held to them in test_validation."""

import pytest

from switchboard.k8s.defaults import default
from switchboard.k8s.validation import validate

LABELS = {"app": "a"}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "a:1"}]}}


def made(kind, status=None, **spec):
    version = "batch/v1" if "Job" in kind else "apps/v1"
    obj = {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "status": status or {}}
    base = {} if "Job" in kind else {"selector": {"matchLabels": LABELS}}
    return default({**obj, "spec": {**base, "template": TEMPLATE, **spec}})


def found(obj, old=None):
    return [(f.reference, f.field) for f in validate(obj, old)]


ONCE = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (made("Deployment"), []),
        (made("Deployment", replicas=-1), [("field-invalid", "spec.replicas")]),
        (made("Deployment", strategy={"type": "x"}), [("field-not-supported", "spec.strategy.type")]),
        (made("Deployment", strategy={"rollingUpdate": {"maxSurge": "200%"}}), []),
        (
            made("Deployment", strategy={"rollingUpdate": {"maxSurge": "5"}}),
            [("field-invalid", "spec.strategy.rollingUpdate.maxSurge")],
        ),
        (
            made("Deployment", strategy={"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": 0}}),
            [("field-invalid", "spec.strategy.rollingUpdate.maxUnavailable")],
        ),
        (made("Deployment", template=ONCE), [("field-not-supported", "spec.template.spec.restartPolicy")]),
        (made("DaemonSet", updateStrategy={"type": "x"}), [("field-not-supported", "spec.updateStrategy.type")]),
        (
            made("DaemonSet", updateStrategy={"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}),
            [("field-invalid", "spec.updateStrategy.rollingUpdate.maxSurge")],
        ),
        (made("Job", template=ONCE), []),
        (made("Job", template=ONCE, completionMode="Indexed", parallelism=1), [("field-required", "spec.completions")]),
    ],
)
def test_workloads(obj, expected):
    assert found(obj) == expected


def test_a_selector_that_misses_the_template_says_what_to_add():
    obj = made("ReplicaSet", selector={"matchLabels": {"app": "b"}})
    assert [f.hint for f in validate(obj)] == ["Add `app: b` to them."]


@pytest.mark.parametrize("schedule", ["*/5 * * * *", "0 9-17 * * MON-FRI", "@daily", "@every 5m", "0 0 1,15 * ?"])
def test_schedules(schedule):
    job = {"spec": {"template": ONCE}}
    assert found(made("CronJob", template=None, schedule=schedule, jobTemplate=job)) == []


@pytest.mark.parametrize("schedule", ["* * * *", "* * * * * *", "@often", "a b c d !"])
def test_what_is_no_schedule(schedule):
    job = {"spec": {"template": ONCE}}
    obj = made("CronJob", template=None, schedule=schedule, concurrencyPolicy="x", jobTemplate=job)
    assert found(obj) == [("field-invalid", "spec.schedule"), ("field-not-supported", "spec.concurrencyPolicy")]


def test_of_a_stateful_set_little_may_change():
    old = made("StatefulSet")
    assert found(made("StatefulSet", replicas=3, minReadySeconds=2), old) == []
    assert found(made("StatefulSet", serviceName="b"), old) == [("field-forbidden", "spec")]


def test_counts_of_a_status_fit_together():
    old = made("Deployment")
    new = made("Deployment", {"replicas": 2, "availableReplicas": 3, "updatedReplicas": 2})
    assert found(new, old) == [("field-invalid", "status.availableReplicas")]
