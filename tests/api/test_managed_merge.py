import pytest

from switchboard.api.managed_merge import errors, merge
from switchboard.api.managed_types import built_in, custom

SERVICE = built_in("v1", "Service")
FINALIZERS = SERVICE.member("metadata").member("finalizers")
FREE = custom(None)


@pytest.mark.parametrize(
    ("live", "applied", "expected"),
    [
        ("abc", "d", "abcd"),
        ("abc", "ca", "bca"),
        ("ab", "xb", "axb"),
        ("abcd", "da", "bcda"),
        ("", "ba", "ba"),
        ("ab", "", "ab"),
        ("abc", "abc", "abc"),
    ],
)
def test_sets_take_the_applied_order(live, applied, expected):
    assert merge(FINALIZERS, list(live), list(applied)) == list(expected)


def test_keyed_items_merge():
    live = {"spec": {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30000}], "type": "NodePort"}}
    applied = {"spec": {"ports": [{"port": 81}, {"port": 80, "name": "a"}], "selector": {"a": "b"}}}
    assert merge(SERVICE, live, applied) == {
        "spec": {
            "ports": [{"port": 81}, {"port": 80, "protocol": "TCP", "nodePort": 30000, "name": "a"}],
            "type": "NodePort",
            "selector": {"a": "b"},
        }
    }


def test_what_is_atomic_is_replaced():
    assert merge(SERVICE.member("spec"), {"selector": {"a": "1"}}, {"selector": {"b": "2"}}) == {"selector": {"b": "2"}}
    assert merge(FREE, {"l": [1], "v": 1}, {"l": [2], "v": {"a": 1}}) == {"l": [2], "v": {"a": 1}}


def test_a_live_item_that_occurs_twice_is_replaced():
    live = [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]
    assert merge(SERVICE.member("spec").member("ports"), live, [{"port": 80}]) == [{"port": 80}]


def test_null_leaves_maps_and_lists_and_replaces_scalars():
    live = {"ports": [{"port": 80}], "type": "NodePort"}
    found = merge(SERVICE.member("spec"), live, {"ports": None, "type": None})
    assert found == {"ports": [{"port": 80}], "type": None}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"bogus": 1}, ".bogus: field not declared in schema"),
        ({"spec": {"ports": [{"port": 80, "x": 1}]}}, '.spec.ports[port=80,protocol="TCP"].x: field not declared'),
        ({"spec": {"ports": [{"port": 80}, {"port": 80}]}}, ".spec.ports: duplicate entries for key [port=80"),
        ({"metadata": {"finalizers": ["a", "a"]}}, '.metadata.finalizers: duplicate entries for key [="a"]'),
        (
            {"metadata": {"ownerReferences": [{}]}},
            ".metadata.ownerReferences: element 0: associative list with keys has",
        ),
        ({"spec": {"ports": "x"}}, '.spec.ports: expected list, got "x"'),
        ({"spec": []}, ".spec: expected map, got list"),
        ({"spec": {"type": 1}}, ".spec.type: expected string"),
        ({"spec": {"publishNotReadyAddresses": "x"}}, ".spec.publishNotReadyAddresses: expected boolean"),
        ({"spec": {"ports": [{"port": True}]}}, "expected numeric"),
        ({"spec": {"ports": [{"port": 1, "targetPort": {}}]}}, "expected any scalar"),
        ({"spec": {"externalIPs": ["a", 1]}}, ".spec.externalIPs[1]: expected string"),
    ],
)
def test_what_does_not_fit(value, told):
    found = errors(SERVICE, value)
    assert len(found) == 1
    assert told in found[0]


def test_what_fits():
    value = {"spec": {"ports": [{"port": 80, "targetPort": "http"}], "type": None}, "status": {}}
    assert errors(SERVICE, value) == []
    assert errors(FREE, {"spec": {"anything": [1, {}]}}) == []
    assert errors(FINALIZERS, ["a", "a"], duplicates=True) == []


def test_reasons_are_few():
    assert len(errors(FINALIZERS, ["a"] * 10_000)) == 20
