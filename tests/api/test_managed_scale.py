import pytest

from switchboard.api import managed, managed_scale, managed_types
from switchboard.api.errors import Conflict

TYPES = managed_types.built_in("apps/v1", "Deployment")


def writer(manager):
    time = "2026-11-23T12:00:00Z"
    return managed.Writer(manager=manager, api_version="apps/v1", kind="Deployment", time=time, types=TYPES)


def deployment(replicas, **spec):
    meta = {"name": "d", "uid": "u"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"replicas": replicas, **spec}}


def owners(obj):
    found = obj["metadata"].get("managedFields", [])
    return {(e["manager"], e["operation"], e.get("subresource", "")): e["fieldsV1"]["f:spec"] for e in found}


@pytest.fixture
def live():
    return managed.apply(None, deployment(1, paused=True), writer("one"))


def test_replicas_change_hands(live):
    found = managed_scale.updated(live, deployment(3, paused=True), writer("hpa"))
    assert owners(found) == {
        ("one", "Apply", ""): {"f:paused": {}},
        ("hpa", "Update", "scale"): {"f:replicas": {}},
    }
    entry = next(e for e in found["metadata"]["managedFields"] if e["manager"] == "hpa")
    assert "time" not in entry
    assert entry["apiVersion"] == "apps/v1"
    again = managed_scale.updated(found, deployment(4, paused=True), writer("other"))
    assert ("hpa", "Update", "scale") not in owners(again)


def test_the_same_number_changes_nothing(live):
    assert managed_scale.updated(live, {**live}, writer("hpa")) == live


def test_what_nobody_owned_stays_so():
    assert owners(managed_scale.updated(deployment(1), deployment(2), writer("hpa"))) == {}


def test_entries_that_cannot_be_read_are_dropped():
    broken = deployment(1)
    broken["metadata"]["managedFields"] = [{"manager": 1}]
    assert owners(managed_scale.updated(broken, deployment(2), writer("hpa"))) == {}


def test_an_apply_of_the_same_number_shares_it(live):
    found = managed_scale.applied(live, deployment(1, paused=True), writer("two"))
    assert owners(found) == {
        ("one", "Apply", ""): {"f:paused": {}, "f:replicas": {}},
        ("two", "Apply", "scale"): {"f:replicas": {}},
    }


def test_an_apply_of_another_number_conflicts_unless_forced(live):
    with pytest.raises(Conflict, match=r'conflict with "one": \.spec\.replicas'):
        managed_scale.applied(live, deployment(2, paused=True), writer("two"))
    found = managed_scale.applied(live, deployment(2, paused=True), writer("two"), force=True)
    assert owners(found) == {("one", "Apply", ""): {"f:paused": {}}, ("two", "Apply", "scale"): {"f:replicas": {}}}
    mine = managed_scale.applied(found, deployment(5, paused=True), writer("two"))
    assert owners(mine) == owners(found)


def test_an_updater_is_named_by_the_version_of_the_scale(live):
    scaled = managed_scale.updated(live, deployment(2, paused=True), writer("hpa"))
    told = '"hpa" with subresource "scale" using autoscaling/v1: .spec.replicas'
    with pytest.raises(Conflict) as refusal:
        managed_scale.applied(scaled, deployment(3, paused=True), writer("two"))
    assert refusal.value.message == f"Apply failed with 1 conflict: conflict with {told}"


def test_who_was_there_before_the_first_apply_owns_the_number():
    with pytest.raises(Conflict, match="before-first-apply"):
        managed_scale.applied(deployment(1), deployment(2), writer("one"))
    found = managed_scale.applied(deployment(1), deployment(1), writer("one"))
    assert set(owners(found)) == {("before-first-apply", "Update", "scale"), ("one", "Apply", "scale")}


def test_another_place_of_the_number():
    old = {"metadata": {}, "spec": {"size": 1}}
    found = managed_scale.applied(old, {"metadata": {}, "spec": {"size": 1}}, writer("one"), ("spec", "size"))
    assert owners(found)["one", "Apply", "scale"] == {"f:size": {}}
