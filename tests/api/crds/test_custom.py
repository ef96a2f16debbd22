import pytest

from switchboard.api.errors import BadRequest
from switchboard.api.selectors import matches_fields, parse_fields

TWO = [
    {
        "name": name,
        "served": True,
        "storage": name == "v1",
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer"}, **more}},
                },
            }
        },
    }
    for name, more in (("v1", {"color": {"type": "string"}}), ("v2", {"shape": {"type": "string", "default": "round"}}))
]


def test_objects_are_completed_and_checked(kinds, gadget, found):
    (kind,) = kinds({"type": "object", "properties": {"size": {"type": "integer", "maximum": 5, "default": 2}}})
    obj = gadget({"x": 1})
    assert kind.prune(obj) == ["spec.x"]
    kind.default(obj)
    assert obj["spec"] == {"size": 2}
    assert kind.validate(obj) == []
    assert found(kind.validate(gadget({"size": 6}))) == {("spec.size", "Invalid")}
    assert kind.validate(gadget({"size": 6}), gadget({"size": 6})) == []


def test_rules_are_asked_when_the_types_are_right(kinds, gadget):
    rule = {"rule": "self.size < 5"}
    (kind,) = kinds({"type": "object", "properties": {"size": {"type": "integer"}}, "x-kubernetes-validations": [rule]})
    assert [c.field for c in kind.validate(gadget({"size": 9}))] == ["spec"]
    assert [c.field for c in kind.validate(gadget({"size": "9"}))] == ["spec.size"]


def test_the_status_is_judged_alone_at_its_own_endpoint(kinds, gadget):
    (kind,) = kinds({"type": "object", "properties": {"size": {"type": "integer"}}})
    assert kind.validate(gadget({"size": "x"}, status={}), None, subresource="status") == []


def test_versions_are_converted_by_their_schemas(kinds, gadget):
    by_name = {k.version: k for k in kinds(versions=TWO)}
    stored = gadget({"size": 1, "color": "red"})
    assert by_name["v1"].read(stored) is stored
    assert by_name["v2"].read(stored) == gadget({"size": 1, "shape": "round"}, version="v2")
    assert stored["spec"]["color"] == "red"
    assert by_name["v2"].store(gadget({"size": 1, "shape": "x"}, version="v2")) == gadget({"size": 1})


def test_scale_reads_and_writes_where_the_definition_says(kinds, gadget):
    scale = {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n", "labelSelectorPath": ".status.s"}
    (kind,) = kinds(subresources={"scale": scale})
    obj = gadget({"n": 3}, status={"n": 2, "s": "a=b"})
    assert kind.scaled(obj) == (3, 2, "a=b")
    assert kind.scaled(gadget()) == (0, 0, "")
    assert kind.with_replicas(obj, 5)["spec"] == {"n": 5}
    assert obj["spec"] == {"n": 3}


def test_fields_are_offered_to_selectors(kinds, gadget):
    (kind,) = kinds(selectableFields=[{"jsonPath": ".spec.color"}])
    assert kind.offered_fields == {"spec.color"}
    selector = parse_fields("spec.color=red,metadata.name=g", "", kind.offered_fields)
    assert matches_fields(selector, gadget({"color": "red"}))
    assert not matches_fields(selector, gadget({"color": "blue"}))
    with pytest.raises(BadRequest):
        parse_fields("spec.shape=x", "", kind.offered_fields)
