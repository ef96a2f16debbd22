import pytest

from switchboard.api.managed_set import decode, encode
from switchboard.api.managed_types import built_in, custom
from switchboard.api.managed_walk import ABSENT, compare, element_of, fields_of, remove, with_named

SERVICE = built_in("v1", "Service")
DEPLOYMENT = built_in("apps/v1", "Deployment")
FREE = custom(None)
PORTS = SERVICE.member("spec").member("ports")
FINALIZERS = SERVICE.member("metadata").member("finalizers")


def differences(kind, old, new):
    found = compare(kind, old, new)
    return encode(found.added), encode(found.modified), encode(found.removed)


def test_fields_of_a_configuration_are_its_leaves():
    config = {
        "metadata": {"labels": {"a": "b"}, "annotations": {}, "finalizers": ["x"]},
        "spec": {"selector": {"app": "a"}, "ports": [{"port": 80, "name": "http"}], "type": None},
    }
    assert encode(fields_of(SERVICE, config)) == {
        "f:metadata": {"f:labels": {"f:a": {}}, "f:annotations": {}, "f:finalizers": {'v:"x"': {}}},
        "f:spec": {
            "f:selector": {},
            "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:name": {}}},
            "f:type": {},
        },
    }


def test_fields_of_a_value_without_schema():
    config = {"spec": {"a": {"b": 1}, "l": [1, 2], "e": {}}}
    assert encode(fields_of(FREE, config)) == {"f:spec": {".": {}, "f:a": {".": {}, "f:b": {}}, "f:l": {}, "f:e": {}}}


def test_items_that_occur_twice_have_one_owner():
    assert encode(fields_of(FINALIZERS, ["a", "a", "b"])) == {'v:"a"': {}, 'v:"b"': {}}


def test_differences():
    old = {"spec": {"type": "ClusterIP", "selector": {"a": "1"}, "ports": [{"port": 80}], "clusterIP": "10.0.0.1"}}
    new = {"spec": {"type": "NodePort", "selector": {"a": "2"}, "ports": [{"port": 81, "name": "n"}]}}
    assert differences(SERVICE, old, new) == (
        {"f:spec": {"f:ports": {'k:{"port":81,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:name": {}}}}},
        {"f:spec": {"f:type": {}, "f:selector": {}}},
        {
            "f:spec": {
                "f:clusterIP": {},
                "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}},
            }
        },
    )


def test_what_kubernetes_always_has_is_not_added_but_its_parts_are():
    new = {"spec": {"template": {"spec": {"containers": [{"name": "c", "resources": {}}]}}}}
    assert differences(DEPLOYMENT, {}, new)[0] == {
        "f:spec": {
            "f:template": {"f:spec": {"f:containers": {'k:{"name":"c"}': {".": {}, "f:name": {}, "f:resources": {}}}}}
        }
    }


def test_equal_values_do_not_differ():
    value = {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}, "metadata": {"labels": {}}}
    assert differences(SERVICE, value, value) == ({}, {}, {})


def test_duplicates_are_compared_together():
    kind = PORTS
    twice = [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]
    key = 'k:{"port":80,"protocol":"TCP"}'
    assert differences(kind, twice, twice) == ({}, {}, {})
    assert differences(kind, twice, twice[::-1])[1] == {key: {}}
    assert differences(kind, twice[:1], twice)[0] == {key: {}}
    assert differences(kind, twice, twice[:1])[2] == {key: {}}


@pytest.mark.parametrize(("old", "new"), [(1, {"a": 1}), ({"a": 1}, 1), ([1], {"a": 1}), (1, [1])])
def test_values_that_change_their_form(old, new):
    found = differences(FREE.member("x"), {"v": old}, {"v": new})
    assert found[1].get("f:v") is not None or found[0].get("f:v") is not None


def test_null_is_a_value():
    assert differences(FREE.member("x"), {"v": None}, {"v": None}) == ({}, {}, {})
    assert differences(FREE.member("x"), {"v": None}, {"v": 1})[1] == {"f:v": {}}
    assert compare(FREE, ABSENT, {"v": 1}).added == {"f:v": {".": {}}}


@pytest.mark.parametrize("value", [None, 1, {"name": "x"}, {}, []])
def test_items_without_key(value):
    with pytest.raises(ValueError, match="associative list"):
        element_of(built_in("v1", "ConfigMap").member("metadata").member("ownerReferences"), value)


@pytest.mark.parametrize("value", [None, {}, []])
def test_sets_hold_scalars_only(value):
    with pytest.raises(ValueError, match="associative list"):
        element_of(FINALIZERS, value)


def test_a_key_that_has_a_default_may_be_left_out():
    assert element_of(PORTS, {"port": 80}) == element_of(PORTS, {"port": 80, "protocol": "TCP"})


def test_removal():
    value = {"spec": {"ports": [{"port": 80, "name": "a"}, {"port": 81}], "type": "ClusterIP"}, "data": {}}
    gone = decode({"f:spec": {"f:type": {}, "f:ports": {'k:{"port":80,"protocol":"TCP"}': {"f:name": {}}}}})
    found = remove(SERVICE, value, gone)
    assert found == {"spec": {"ports": [{"port": 80}, {"port": 81}]}, "data": {}}
    assert value["spec"]["type"] == "ClusterIP"


def test_of_what_is_emptied_null_is_left():
    value = {"spec": {"ports": [{"port": 80}]}}
    gone = decode({"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {}}}})
    assert remove(SERVICE, value, gone) == {"spec": {"ports": None}}


def test_named_fields_become_members_but_keys_do_not():
    fields = decode({"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:ports": {'k:{"port":80}': {"f:name": {}}}}})
    assert encode(with_named(SERVICE, fields)) == {
        "f:metadata": {".": {}, "f:labels": {".": {}, "f:a": {}}},
        "f:spec": {".": {}, "f:ports": {".": {}, 'k:{"port":80}': {"f:name": {}}}},
    }
