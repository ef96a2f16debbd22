import pytest

from switchboard.api.managed_entries import (
    ANCIENT,
    APPLY,
    UPDATE,
    Manager,
    Owned,
    capped,
    conflict,
    decode,
    encode,
    manager_of,
    resets,
)
from switchboard.api.managed_set import path, union

A, B = path("data", "a"), path("data", "b")
ENTRY = {"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:a": {}}}


def updater(name, subresource=""):
    return Manager(name, UPDATE, "v1", subresource)


def test_entries_are_read_and_written():
    wire = [ENTRY, {**ENTRY, "subresource": "status", "time": "2026-11-23T12:00:00Z"}]
    assert encode(decode(wire)) == wire
    assert decode(None) == {}


def test_order():
    entries = {
        updater("z"): Owned(A, "v1", "2026-11-23T12:00:00Z"),
        updater("a"): Owned(A, "v1", "2026-11-23T12:01:00Z"),
        updater("b"): Owned(A, "v1", "2026-11-23T12:01:00Z"),
        Manager("z", APPLY): Owned(A, "v1", "2026-11-23T12:02:00Z"),
        Manager("y", APPLY): Owned(A, "v1"),
    }
    shown = [(e["operation"], e["manager"]) for e in encode(entries)]
    assert shown == [("Apply", "y"), ("Apply", "z"), ("Update", "z"), ("Update", "a"), ("Update", "b")]


@pytest.mark.parametrize(
    "wire",
    [
        "text",
        ["text"],
        [{**ENTRY, "operation": "Replace"}],
        [{**ENTRY, "apiVersion": ""}],
        [{**ENTRY, "fieldsType": "FieldsV2"}],
        [{**ENTRY, "fieldsV1": {"a": {}}}],
        [{**ENTRY, "manager": 1}],
    ],
)
def test_what_kubernetes_could_not_read(wire):
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        decode(wire)


@pytest.mark.parametrize(
    ("wire", "reset"),
    [([], True), ([{}], True), ([{"manager": ""}], True), (None, False), ([ENTRY], False), ([{}, {}], False)],
)
def test_resetting(wire, reset):
    assert resets(wire) is reset


def test_an_applier_is_the_same_in_every_version():
    assert manager_of("m", APPLY, "v1", "") == manager_of("m", APPLY, "v2", "")
    assert manager_of("m", UPDATE, "v1", "") != manager_of("m", UPDATE, "v2", "")
    assert manager_of("", UPDATE, "v1", "").name == "unknown"


def test_the_oldest_updaters_become_one():
    times = [f"2026-11-23T12:{i:02}:00Z" for i in range(12)]
    entries = {updater(f"m{i}"): Owned(path("data", f"k{i}"), "v1", times[i]) for i in range(12)}
    entries[Manager("applier", APPLY)] = Owned(A, "v1")
    found = capped(entries)
    ancient = found[Manager(ANCIENT, UPDATE, "v1")]
    assert sum(m.operation == UPDATE for m in found) == 10
    assert ancient == Owned(union(union(path("data", "k0"), path("data", "k1")), path("data", "k2")), "v1", times[2])
    assert Manager("applier", APPLY) in found
    again = capped({**found, updater("m12"): Owned(B, "v1", "2026-11-23T13:00:00Z")})
    assert sum(m.operation == UPDATE for m in again) == 10
    assert union(again[Manager(ANCIENT, UPDATE, "v1")].fields, path("data", "k3")) == union(
        ancient.fields, path("data", "k3")
    )


def test_few_updaters_stay():
    entries = {updater(f"m{i}"): Owned(A, "v1") for i in range(10)}
    assert capped(entries) == entries


def test_conflicts_name_manager_and_field():
    one = conflict({updater("ed"): A})
    assert one.message == 'Apply failed with 1 conflict: conflict with "ed" using v1: .data.a'
    assert [(c.reason, c.message, c.field) for c in one.causes] == [
        ("FieldManagerConflict", 'conflict with "ed" using v1', ".data.a")
    ]
    two = conflict({Manager("x", APPLY, "", "status"): union(A, B), Manager("b", APPLY): A})
    assert two.message == (
        'Apply failed with 3 conflicts: conflicts with "b":\n- .data.a\n'
        'conflicts with "x" with subresource "status":\n- .data.a\n- .data.b'
    )
    assert (two.code, two.reason, len(two.causes)) == (409, "Conflict", 3)
