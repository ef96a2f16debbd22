import pytest

from switchboard.api import managed, managed_types
from switchboard.api.errors import BadRequest, Conflict, ServerFault
from switchboard.api.managed_set import decode, encode
from switchboard.k8s.names import LAST_APPLIED

SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer"},
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "plain": {"type": "array", "items": {"type": "string"}},
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
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


def writer(manager="one", minute=0, kind="ConfigMap", version="v1", **fields):
    types = managed_types.built_in(version, kind) or managed_types.custom(SCHEMA)
    time = f"2026-11-23T12:{minute:02}:00Z"
    return managed.Writer(manager=manager, api_version=version, kind=kind, time=time, types=types, **fields)


def gadgets(manager="one", minute=0, **fields):
    return writer(manager, minute, "Gadget", "example.com/v1", **fields)


def config_map(data=None, **meta):
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", **meta}}
    return obj if data is None else {**obj, "data": data}


def gadget(**spec):
    return {"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "g"}, "spec": spec}


def owners(obj):
    return {(e["manager"], e["operation"]): e["fieldsV1"] for e in obj["metadata"].get("managedFields", [])}


def test_an_entry():
    found = managed.apply(None, config_map({"a": "1"}), writer())
    assert found == config_map(
        {"a": "1"},
        managedFields=[
            {
                "manager": "one",
                "operation": "Apply",
                "apiVersion": "v1",
                "time": "2026-11-23T12:00:00Z",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:data": {"f:a": {}}},
            }
        ],
    )


def test_applying_the_same_again_is_no_change():
    once = managed.apply(None, config_map({"a": "1"}), writer())
    assert managed.apply(once, config_map({"a": "1"}), writer(minute=5)) == once


def test_other_managers_keep_their_items():
    live = managed.apply(None, gadget(items=[{"name": "a", "value": "1"}], tags=["x"]), gadgets("one"))
    both = managed.apply(live, gadget(items=[{"name": "b", "value": "2"}], tags=["y"]), gadgets("two", 1))
    assert both["spec"] == {"items": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}], "tags": ["x", "y"]}
    left = managed.apply(both, gadget(tags=["y"]), gadgets("two", 2))
    assert left["spec"] == {"items": [{"name": "a", "value": "1"}], "tags": ["x", "y"]}
    assert owners(left)["two", "Apply"] == {"f:spec": {"f:tags": {'v:"y"': {}}}}


def test_plain_lists_conflict_as_a_whole():
    live = managed.apply(None, gadget(plain=["x"]), gadgets("one"))
    with pytest.raises(Conflict, match=r'with "one": \.spec\.plain'):
        managed.apply(live, gadget(plain=["x", "y"]), gadgets("two"))


def test_an_item_goes_with_its_applier_whatever_others_own_within():
    live = managed.apply(None, gadget(items=[{"name": "a"}]), gadgets("one"))
    changed = {**live, "spec": {"items": [{"name": "a", "value": "9"}]}}
    live = managed.update(live, changed, gadgets("ed", 1))
    assert owners(live)["ed", "Update"] == {"f:spec": {"f:items": {'k:{"name":"a"}': {"f:value": {}}}}}
    gone = managed.apply(live, gadget(), gadgets("one", 2))
    assert gone["spec"] == {}
    assert owners(gone) == {("one", "Apply"): {"f:spec": {}}}


def test_what_an_updater_added_beside_applied_items_stays():
    live = managed.apply(None, gadget(items=[{"name": "a"}]), gadgets("one"))
    changed = {**live, "spec": {"items": [{"name": "a"}, {"name": "b"}]}}
    live = managed.update(live, changed, gadgets("ed", 1))
    assert managed.apply(live, gadget(), gadgets("one", 2))["spec"] == {"items": [{"name": "b"}]}


def test_force_takes_over_and_leaves_the_rest():
    live = managed.apply(None, config_map({"a": "1", "k": "1"}), writer("one"))
    with pytest.raises(Conflict):
        managed.apply(live, config_map({"a": "2"}), writer("two"))
    taken = managed.apply(live, config_map({"a": "2"}), writer("two", 1), force=True)
    assert taken["data"] == {"a": "2", "k": "1"}
    assert owners(taken) == {
        ("one", "Apply"): {"f:data": {"f:k": {}}},
        ("two", "Apply"): {"f:data": {"f:a": {}}},
    }


@pytest.mark.parametrize(
    ("applied", "error", "told"),
    [
        ({"metadata": {"name": "m"}}, BadRequest, "invalid object type: /, Kind="),
        ({**config_map(), "apiVersion": "apps/v1"}, BadRequest, "apps/v1, Kind=ConfigMap"),
        (config_map(managedFields=[]), BadRequest, "metadata.managedFields must be nil"),
        ({**config_map(), "bogus": 1}, ServerFault, r"\(/m; /v1, Kind=ConfigMap\): .bogus: field not declared"),
        (config_map({"a": 1, "b": 2}), ServerFault, "errors:\n"),
    ],
)
def test_refused_configurations(applied, error, told):
    with pytest.raises(error, match=told):
        managed.apply(None, applied, writer())


def test_entries_that_cannot_be_read_refuse_an_apply_and_are_ignored_by_an_update():
    broken = config_map({"a": "1"}, uid="u", managedFields=[{"manager": "x"}])
    with pytest.raises(ServerFault, match="failed to decode managed fields"):
        managed.apply(broken, config_map(), writer())
    assert owners(managed.update(broken, config_map({"a": "2"}), writer())) == {}


def test_an_object_without_entries_belongs_to_those_before_the_first_apply():
    found = managed.apply(config_map({"a": "1", "b": "1"}, uid="u"), config_map({"a": "1"}), writer("one", 3))
    assert owners(found) == {
        ("one", "Apply"): {"f:data": {"f:a": {}}},
        ("before-first-apply", "Update"): {"f:data": {".": {}, "f:a": {}, "f:b": {}}},
    }
    with pytest.raises(Conflict, match="before-first-apply"):
        managed.apply(config_map({"a": "1"}, uid="u"), config_map({"a": "2"}), writer())


def test_an_update_that_changes_nothing_leaves_the_time():
    old = managed.update(None, config_map({"a": "1"}), writer())
    assert managed.update(old, config_map({"a": "1"}), writer(minute=9)) == {**old}


def test_an_update_moves_the_time_of_its_manager_only():
    old = managed.update(None, config_map({"a": "1"}), writer("one"))
    old = managed.update(old, config_map({"a": "1", "b": "1"}), writer("two", 1))
    new = managed.update(old, config_map({"a": "1", "b": "1", "c": "1"}), writer("two", 2))
    times = {e["manager"]: e["time"][14:16] for e in new["metadata"]["managedFields"]}
    assert times == {"one": "00", "two": "02"}
    assert owners(new)["two", "Update"] == {"f:data": {"f:b": {}, "f:c": {}}}


def test_a_manager_with_nothing_left_is_forgotten():
    old = managed.update(None, config_map({"a": "1"}), writer("one"))
    new = managed.update(old, config_map(), writer("two"))
    assert owners(new) == {}


def test_an_object_whose_entries_were_reset_stays_without():
    old = managed.update(None, config_map({"a": "1"}), writer("one"))
    reset = managed.update(old, config_map({"a": "1"}, managedFields=[]), writer("one"))
    assert owners(reset) == {}
    assert owners(managed.update(reset, config_map({"a": "2"}), writer("one"))) == {}


def test_entries_that_are_left_out_are_not_lost():
    old = managed.update(None, config_map({"a": "1"}), writer("one"))
    assert owners(managed.update(old, config_map({"a": "1"}), writer("two"))) == owners(old)


def test_an_update_that_does_not_fit_its_schema_keeps_the_entries():
    old = managed.update(None, config_map({"a": "1"}), writer("one"))
    assert owners(managed.update(old, config_map("text"), writer("two"))) == owners(old)


def test_empty_values_are_not_owned():
    new = config_map({}, labels={}, finalizers=[], generateName="", annotations=None)
    assert owners(managed.update(None, new, writer())) == {}


def test_status_and_the_rest_have_their_own_endpoints():
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    full = {**service, "spec": {"type": "NodePort"}, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    main = writer("one", kind="Service", reset=managed.reset_fields(status_subresource=True, subresource=""))
    created = managed.update(None, full, main)
    assert owners(created) == {("one", "Update"): {"f:spec": {"f:type": {}}}}
    reset = managed.reset_fields(status_subresource=True, subresource="status")
    below = writer("lb", 1, kind="Service", subresource="status", reset=reset)
    sent = {**service, "spec": {"type": "ClusterIP"}, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.2"}]}}}
    changed = managed.update(created, sent, below)
    assert owners(changed)["lb", "Update"] == {"f:status": {"f:loadBalancer": {"f:ingress": {}}}}
    assert changed["metadata"]["managedFields"][-1]["subresource"] == "status"


def test_the_status_of_a_custom_resource_is_all_that_its_endpoint_changes():
    status = gadgets("ctl", subresource="status", only="status")
    new = {**gadget(size=2), "status": {"ready": True}}
    old = {
        **gadget(size=1),
        "metadata": {"name": "g", "uid": "u", "managedFields": entry("one", {"f:spec": {"f:size": {}}})},
    }
    assert owners(managed.update(old, new, status)) == {
        ("one", "Update"): {"f:spec": {"f:size": {}}},
        ("ctl", "Update"): {"f:status": {".": {}, "f:ready": {}}},
    }


def entry(manager, fields, operation="Update"):
    return [
        {
            "manager": manager,
            "operation": operation,
            "apiVersion": "example.com/v1",
            "fieldsType": "FieldsV1",
            "fieldsV1": encode(decode(fields)),
        }
    ]


def test_a_subresource_cannot_set_entries():
    old = managed.update(None, gadget(size=1), gadgets("one"))
    new = {**gadget(size=1), "metadata": {"name": "g", "managedFields": []}}
    assert owners(managed.update(old, new, gadgets("ctl", subresource="status", only="status"))) == owners(old)


def test_kubectl_takes_over_what_it_applied_from_the_client():
    last = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"1"}}'
    old = managed.update(None, config_map({"a": "1"}, annotations={LAST_APPLIED: last}), writer("client"))
    found = managed.apply(old, config_map({"a": "2"}), writer("kubectl", 1))
    assert found["data"] == {"a": "2"}
    assert '"a":"2"' in found["metadata"]["annotations"][LAST_APPLIED]
    with pytest.raises(Conflict):
        managed.apply(old, config_map({"a": "2"}), writer("other", 1))
    other = managed.update(old, {**old, "data": {"a": "5"}}, writer("client", 1))
    with pytest.raises(Conflict):
        managed.apply(other, config_map({"a": "2"}), writer("kubectl", 2))


@pytest.mark.parametrize(
    ("parameter", "agent", "expected"),
    [("me", "kubectl/1", "me"), ("", "kubectl/v1.36 (linux)", "kubectl"), ("", "", ""), ("", "x\n" + "y" * 200, None)],
)
def test_names_of_managers(parameter, agent, expected):
    found = managed.manager_name(parameter, agent)
    assert found == (expected if expected is not None else "x" + "y" * 127)
