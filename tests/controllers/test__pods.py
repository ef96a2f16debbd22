from datetime import UTC, datetime

import pytest

from switchboard.controllers import _pods

NOW = datetime(2026, 11, 23, 12, 0, 10, tzinfo=UTC)


def pod(name="p", ready=True, since="2026-11-23T12:00:00Z", **extra):
    condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-11-23T12:00:00Z", **extra.get("metadata", {})},
        "spec": {"nodeName": "n1", **extra.get("spec", {})},
        "status": {"phase": "Running", "conditions": [condition], **extra.get("status", {})},
    }


@pytest.mark.parametrize(
    ("ready", "minimum", "expected"), [(False, 0, None), (True, 0, 0), (True, 10, 0), (True, 15, 5)]
)
def test_a_pod_is_available_when_it_has_been_ready_long_enough(ready, minimum, expected):
    assert _pods.seconds_until_available(pod(ready=ready), minimum, NOW) == expected


def test_finished_and_deleted_pods_do_not_count():
    assert _pods.active(pod())
    assert not _pods.active(pod(status={"phase": "Failed"}))
    assert not _pods.active(pod(metadata={"name": "p", "deletionTimestamp": "2026-11-23T12:00:00Z"}))


def test_who_goes_first_in_a_scale_down():
    waiting = pod("waiting", spec={"nodeName": ""})
    pending = pod("pending", status={"phase": "Pending"})
    sick = pod("sick", ready=False)
    crowded = pod("crowded", spec={"nodeName": "n2"})
    younger = pod("younger", metadata={"name": "younger", "creationTimestamp": "2026-11-23T12:00:05Z"})
    older = pod("older")
    pods = [older, younger, crowded, sick, pending, waiting]
    order = [p["metadata"]["name"] for p in _pods.deletion_order(pods, {"n1": 1, "n2": 2})]
    assert order == ["waiting", "pending", "sick", "crowded", "younger", "older"]


def test_equal_templates_have_equal_names_whatever_their_order():
    assert _pods.template_hash({"a": 1, "b": 2}) == _pods.template_hash({"b": 2, "a": 1})
    assert _pods.template_hash({"a": 1}) != _pods.template_hash({"a": 2})
    assert _pods.template_hash({"a": 1}) != _pods.template_hash({"a": 1}, 1)


def test_a_pod_from_a_template_shares_nothing_with_it():
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}]}}
    owner = {"apiVersion": "v1", "kind": "K", "metadata": {"name": "o", "namespace": "d", "uid": "u"}}
    made = _pods.from_template(owner, template, name="p", labels={"x": "y"})
    made["spec"]["containers"][0]["name"] = "changed"
    assert template["spec"]["containers"] == [{"name": "c"}]
    assert made["metadata"]["labels"] == {"a": "b", "x": "y"}
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u"


@pytest.mark.parametrize("value", [None, "", "yesterday", 5])
def test_an_unreadable_time_is_none(value):
    assert _pods.moment(value) is None
