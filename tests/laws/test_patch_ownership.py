"""Laws of server-side apply and of managed fields, over random configurations and random histories."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.api import managed, managed_scale, managed_set, managed_types
from switchboard.api.errors import ApiError, Conflict
from switchboard.api.managed_set import decode, difference, encode, intersection, union, without
from switchboard.api.managed_walk import compare, fields_of, remove

SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "whole": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "additionalProperties": {"type": "string"},
                },
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "plain": {"type": "array", "items": {"type": "string"}},
                "free": {"x-kubernetes-preserve-unknown-fields": True},
                "items": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
                    },
                },
            },
        }
    },
}
TYPES = managed_types.custom(SCHEMA)
LETTERS, TEXTS = st.sampled_from("abc"), st.sampled_from("xyz")
ITEMS = st.lists(
    st.fixed_dictionaries({"name": LETTERS}, optional={"value": TEXTS}),
    min_size=1,
    max_size=3,
    unique_by=lambda i: i["name"],
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers(0, 3),
        "labels": st.dictionaries(LETTERS, TEXTS, min_size=1, max_size=3),
        "whole": st.dictionaries(LETTERS, TEXTS, min_size=1, max_size=2),
        "tags": st.lists(LETTERS, min_size=1, max_size=3, unique=True),
        "plain": st.lists(TEXTS, max_size=2),
        "free": st.recursive(TEXTS, lambda v: st.dictionaries(LETTERS, v, min_size=1, max_size=2), max_leaves=4),
        "items": ITEMS,
    },
)
MANAGERS = st.sampled_from(["one", "two", "three"])


def gadget(spec):
    obj = {"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "g"}}
    return {**obj, "spec": spec} if spec else obj


def stored(obj):
    return {**obj, "metadata": {**obj["metadata"], "uid": "u"}}


def writer(manager, minute=0, **fields):
    time = f"2026-11-23T12:{minute:02}:00Z"
    return managed.Writer(
        manager=manager, api_version="example.com/v1", kind="Gadget", time=time, types=TYPES, **fields
    )


def owned(obj, manager, operation="Apply"):
    for entry in obj["metadata"].get("managedFields", []):
        if (entry["manager"], entry["operation"]) == (manager, operation):
            return decode(entry["fieldsV1"])
    return {}


@given(SPECS, SPECS)
def test_applying_twice_is_applying_once(first, spec):
    live = stored(managed.apply(None, gadget(first), writer("other")))
    once = managed.apply(live, gadget(spec), writer("one", 1), force=True)
    assert managed.apply(once, gadget(spec), writer("one", 2)) == once


@given(SPECS)
def test_what_is_applied_is_owned_and_there(spec):
    found = managed.apply(None, gadget(spec), writer("one"))
    assert found.get("spec", {}) == spec
    config = {"spec": spec} if spec else {}
    assert owned(found, "one") == fields_of(TYPES, config)


@given(SPECS, SPECS)
def test_what_is_no_longer_applied_goes(spec, then):
    live = stored(managed.apply(None, gadget(spec), writer("one")))
    found = managed.apply(live, gadget(then), writer("one", 1))
    assert fields_of(TYPES, {"spec": found.get("spec", {})}) == fields_of(TYPES, {"spec": then})
    assert owned(found, "one") == owned(managed.apply(None, gadget(then), writer("one")), "one")


@given(SPECS)
def test_applying_nothing_after_all_leaves_nothing(spec):
    live = stored(managed.apply(None, gadget(spec), writer("one")))
    found = managed.apply(live, gadget({}), writer("one", 1))
    assert "spec" not in found or not found["spec"]
    assert "managedFields" not in found["metadata"]


@given(SPECS, SPECS)
def test_appliers_of_different_fields_never_conflict(one, two):
    mine, theirs = ({"spec": s} for s in (one, two))
    if intersection(fields_of(TYPES, mine), fields_of(TYPES, theirs)) or set(one) & set(two) & {"free", "size"}:
        return
    live = stored(managed.apply(None, gadget(one), writer("one")))
    both = managed.apply(live, gadget(two), writer("two", 1))
    assert owned(both, "one") == owned(live, "one")
    back = managed.apply(both, gadget({}), writer("two", 2))
    assert fields_of(TYPES, {"spec": back.get("spec", {})}) == fields_of(TYPES, mine)


@given(SPECS, SPECS)
def test_without_a_conflict_nobody_loses_and_force_wins(one, two):
    # A value without schema that turns from a mapping into a scalar takes the mapping's parts from their owners.
    two = {k: v for k, v in two.items() if k != "free"}
    live = stored(managed.apply(None, gadget(one), writer("one")))
    forced = managed.apply(live, gadget(two), writer("two", 1), force=True)
    assert owned(forced, "two") == owned(managed.apply(None, gadget(two), writer("two")), "two")
    if lost := difference(owned(live, "one"), owned(forced, "one")):
        with pytest.raises(Conflict) as refusal:
            managed.apply(live, gadget(two), writer("two", 1))
        assert [cause.field for cause in refusal.value.causes] == list(managed_set.paths(lost))
    else:
        assert managed.apply(live, gadget(two), writer("two", 1)) == forced


WRITES = st.lists(st.tuples(st.sampled_from(["apply", "update"]), MANAGERS, SPECS), min_size=1, max_size=6)


@settings(max_examples=200)
@given(WRITES)
def test_after_any_history_owners_own_what_is_there(history):
    live = None
    for minute, (verb, manager, spec) in enumerate(history):
        who = writer(manager, minute)
        if verb == "apply":
            live = stored(managed.apply(live, gadget(spec), who, force=True))
        else:
            live = stored(managed.update(live, gadget(spec), who))
        present = compare(TYPES, {}, {k: v for k, v in live.items() if k != "metadata"}).added
        for entry in live["metadata"].get("managedFields", []):
            fields = decode(entry["fieldsV1"])
            assert fields
            assert not difference({k: v for k, v in fields.items() if k != "f:metadata"}, present)


@given(WRITES)
def test_an_update_without_change_is_none(history):
    live = None
    for minute, (_, manager, spec) in enumerate(history):
        live = stored(managed.update(live, gadget(spec), writer(manager, minute)))
    sent = {**live, "metadata": {k: v for k, v in live["metadata"].items() if k != "managedFields"}}
    assert managed.update(live, sent, writer("four", 59)) == live


@given(SPECS, SPECS)
def test_a_difference_names_what_changed(old, new):
    before, after = {"spec": old}, {"spec": new}
    found = compare(TYPES, before, after)
    assert (before == after) == (found == type(found)()) or sorted(map(str, old.get("tags", ()))) != old.get("tags", [])
    back = compare(TYPES, after, before)
    assert (found.added, found.removed, found.modified) == (back.removed, back.added, back.modified)


@given(SPECS)
def test_without_all_its_fields_a_value_is_empty(spec):
    assert not remove(TYPES, {"spec": spec}, {"f:spec": managed_set.MEMBER})


SETS = st.recursive(
    st.just({".": {}}),
    lambda s: st.dictionaries(st.sampled_from(["f:a", "f:b", 'k:{"n":1}', 'v:"x"', "i:0", "."]), s, max_size=3).map(
        lambda d: {k: {} if k == "." else v for k, v in d.items() if k == "." or v}
    ),
    max_leaves=8,
).map(lambda s: {k: v for k, v in s.items() if k != "."})


@given(SETS, SETS, SETS)
def test_the_algebra_of_sets(a, b, c):
    assert union(a, b) == union(b, a)
    assert union(a, union(b, c)) == union(union(a, b), c)
    assert intersection(a, b) == intersection(b, a)
    assert union(difference(a, b), intersection(a, b)) == a
    assert difference(difference(a, b), b) == difference(a, b)
    assert not intersection(difference(a, b), b)
    assert not difference(without(a, b), difference(a, b))
    assert intersection(a, union(b, c)) == union(intersection(a, b), intersection(a, c))


@given(SETS)
def test_sets_survive_their_wire_form(a):
    assert decode(encode(a)) == a


KEYS = st.sampled_from(
    [
        "metadata", "name", "labels", "finalizers", "ownerReferences", "uid", "spec", "ports", "port", "protocol",
        "selector", "status", "type", "apiVersion", "kind", "managedFields", "manager", "fieldsV1", "f:a",
        "annotations", "size", "tags", "items", "free", "\ud800",
    ]
)  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers(-1, 1) | st.sampled_from([1.5, "", "v1", "Service", "Apply", "\ud800", "a"])
)
WILD = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=4), max_leaves=20)
OBJECTS = st.dictionaries(KEYS, WILD, max_size=5)


@settings(max_examples=400)
@given(st.none() | OBJECTS, OBJECTS, st.booleans(), st.booleans())
def test_nothing_but_api_errors(live, sent, known, force):
    version, kind = ("v1", "Service") if known else ("example.com/v1", "Gadget")
    types = managed_types.built_in(version, kind) or TYPES
    who = managed.Writer(manager="kubectl", api_version=version, kind=kind, time="2026-11-23T12:00:00Z", types=types)
    with suppress(ApiError):
        managed.apply(live, {**sent, "apiVersion": version, "kind": kind}, who, force=force)
    managed.update(live, sent, who)
    managed_scale.updated(live or {}, sent, who)
    with suppress(ApiError):
        managed_scale.applied(live or {}, sent, who, force=force)
