from datetime import UTC, datetime

import pytest

from switchboard.api.crds.registry import kinds_of
from switchboard.api.errors import ApiError, Conflict, ServerFault, UnsupportedMediaType
from switchboard.api.server import patching
from switchboard.api.server.options import WriteOptions
from switchboard.api.server.request import Request
from switchboard.k8s.kinds import kind_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
REQUEST = Request("PUT", "/", headers=(("user-agent", "kubectl/v1.37.0 (linux)"),))
CONFIG_MAP = kind_of("v1", "ConfigMap")
DEPLOYMENT = kind_of("apps/v1", "Deployment")


def config_map(data, **meta):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "m", "namespace": "team", **meta},
        "data": data,
    }


def entries(obj):
    return {(e["manager"], e["operation"]): e["fieldsV1"] for e in obj["metadata"].get("managedFields", [])}


@pytest.fixture
def gadgets():
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {"size": {"type": "integer"}, "color": {"type": "string", "default": "red"}},
            },
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    scale = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": scale},
    }  # fmt: skip
    names = {"plural": "gadgets", "singular": "gadget", "kind": "Gadget", "listKind": "GadgetList"}
    established = {
        "conditions": [{"type": "Established", "status": "True"}, {"type": "NamesAccepted", "status": "True"}]
    }
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    (kind,) = kinds_of({"metadata": {"name": "gadgets.example.com"}, "spec": spec, "status": established})
    return kind


def gadget(spec, **fields):
    meta = {"name": "g", "namespace": "team", "uid": "u"}
    return {"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": meta, "spec": spec, **fields}


@pytest.mark.parametrize(
    ("type_", "patch"),
    [
        ("json", [{"op": "add", "path": "/data/b", "value": "2"}]),
        ("merge", {"data": {"b": "2"}}),
        ("strategic", {"data": {"b": "2"}}),
    ],
)
def test_every_type_patches(type_, patch):
    assert patching.patched(type_, config_map({"a": "1"}), patch, CONFIG_MAP)["data"] == {"a": "1", "b": "2"}


def test_the_namespace_is_that_of_the_request():
    patch = [{"op": "remove", "path": "/metadata/namespace"}]
    assert patching.patched("json", config_map({}), patch, CONFIG_MAP)["metadata"]["namespace"] == "team"


def test_a_custom_kind_has_no_strategy(gadgets):
    with pytest.raises(UnsupportedMediaType):
        patching.patched("strategic", gadget({}), {}, gadgets)
    with pytest.raises(ApiError):
        patching.patched("merge", gadget({}), [], gadgets)


def test_a_write_is_owned_by_the_parameter_or_the_user_agent():
    for manager, expected in (("me", "me"), ("", "kubectl")):
        settings = WriteOptions(manager=manager)
        found = patching.owned(config_map({"a": "1"}), None, CONFIG_MAP, "", settings, REQUEST, NOW)
        assert entries(found) == {(expected, "Update"): {"f:data": {".": {}, "f:a": {}}}}
        assert found["metadata"]["managedFields"][0]["time"] == "2026-11-23T12:00:00Z"


def test_defaults_count_as_written_but_are_not_written(gadgets):
    found = patching.owned(gadget({"size": 1}), None, gadgets, "", WriteOptions(manager="me"), REQUEST, NOW)
    assert entries(found) == {("me", "Update"): {"f:spec": {".": {}, "f:color": {}, "f:size": {}}}}
    assert found["spec"] == {"size": 1}


def test_apply_follows_the_schema_of_a_custom_kind(gadgets):
    live = patching.applied(None, gadget({"size": 1}), gadgets, "", WriteOptions(manager="one"), NOW)
    assert entries(live) == {("one", "Apply"): {"f:spec": {"f:size": {}}}}
    with pytest.raises(ServerFault, match="field not declared in schema"):
        patching.applied(live, gadget({"nope": 1}), gadgets, "", WriteOptions(manager="one"), NOW)
    with pytest.raises(Conflict):
        patching.applied(live, gadget({"size": 2}), gadgets, "", WriteOptions(manager="two"), NOW)
    forced = patching.applied(live, gadget({"size": 2}), gadgets, "", WriteOptions(manager="two", force=True), NOW)
    assert entries(forced) == {("two", "Apply"): {"f:spec": {"f:size": {}}}}


def test_each_endpoint_owns_its_part(gadgets):
    live = patching.applied(None, gadget({"size": 1}), gadgets, "", WriteOptions(manager="one"), NOW)
    new = gadget({"size": 9}, status={"ready": True})
    found = patching.owned(new, live, gadgets, "status", WriteOptions(manager="ctl"), REQUEST, NOW)
    assert entries(found) == {
        ("one", "Apply"): {"f:spec": {"f:size": {}}},
        ("ctl", "Update"): {"f:status": {".": {}, "f:ready": {}}},
    }
    main = patching.owned(new, None, gadgets, "", WriteOptions(manager="me"), REQUEST, NOW)
    assert "f:status" not in entries(main)["me", "Update"]


def test_replicas_change_hands_wherever_the_scale_finds_them(gadgets):
    live = patching.applied(None, gadget({"size": 1}), gadgets, "", WriteOptions(manager="one"), NOW)
    found = patching.owned(gadget({"size": 2}), live, gadgets, "scale", WriteOptions(manager="hpa"), REQUEST, NOW)
    assert entries(found) == {("hpa", "Update"): {"f:spec": {"f:size": {}}}}
    old = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": 1}}
    new = {**old, "spec": {"replicas": 2}}
    assert entries(patching.owned(new, old, DEPLOYMENT, "scale", WriteOptions(manager="hpa"), REQUEST, NOW)) == {}


def test_a_scale_is_applied_too():
    old = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": 1}}
    request = Request("PATCH", "/", headers=(("content-type", "application/apply-patch+yaml"),))
    found = patching.owned({**old}, old, DEPLOYMENT, "scale", WriteOptions(manager="one"), request, NOW)
    assert ("one", "Apply") in entries(found)
    scale = kind_of("autoscaling/v1", "HorizontalPodAutoscaler")
    with pytest.raises(ApiError, match="invalid object type"):
        patching.patched("apply", {}, {"spec": {"replicas": 1}}, scale)


def test_a_json_patch_that_fails_changes_nothing():
    before = config_map({"a": "1"})
    with pytest.raises(ApiError):
        patching.patched("json", before, [{"op": "test", "path": "/data/a", "value": "9"}], CONFIG_MAP)
    assert before == config_map({"a": "1"})
