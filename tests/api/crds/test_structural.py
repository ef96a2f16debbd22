import pytest

from switchboard.api.crds import structural

STRING = {"type": "string"}


def root(**spec):
    return {"type": "object", "properties": {"a": spec}}


def listed(keys=("k",), required=("k",), **k):
    items = {"type": "object", "required": list(required), "properties": {"k": k or STRING}}
    return {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys), "items": items}


def ruled(**rule):
    return {"type": "object", "properties": {"n": {"type": "integer"}}, "x-kubernetes-validations": [rule]}


@pytest.mark.parametrize(
    "spec",
    [
        STRING,
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        {"x-kubernetes-preserve-unknown-fields": True},
        {
            "type": "object",
            "properties": {"x": STRING},
            "oneOf": [{"required": ["x"]}, {"properties": {"x": {"minLength": 1}}}],
        },
        {"type": "integer", "default": 3, "minimum": 1},
        listed(),
        listed(required=(), type="string", default="x"),
        ruled(rule="self.n > 0", fieldPath=".n", reason="FieldValueForbidden", messageExpression="'x'"),
    ],
)
def test_schemas_that_are_fine(spec):
    assert structural.validate(root(**spec), "s") == []


@pytest.mark.parametrize(
    ("spec", "field", "reason"),
    [
        ({}, ".type", "Required"),
        ({"type": "text"}, ".type", "NotSupported"),
        ({"type": "array"}, ".items", "Required"),
        ({"type": "array", "items": {}}, ".items.type", "Required"),
        ({"type": "string", "pattern": "("}, ".pattern", "Invalid"),
        ({"type": "array", "items": STRING, "uniqueItems": True}, ".uniqueItems", "Forbidden"),
        ({"type": "object", "additionalProperties": False}, ".additionalProperties", "Forbidden"),
        (
            {"type": "object", "properties": {"x": STRING}, "additionalProperties": STRING},
            ".additionalProperties",
            "Forbidden",
        ),
        ({"type": "object", "$ref": "#/x"}, ".$ref", "Forbidden"),
        ({"type": "string", "allOf": [{"type": "string"}]}, ".allOf[0].type", "Forbidden"),
        ({"type": "object", "anyOf": [{"properties": {"x": {"minLength": 1}}}]}, ".properties[x]", "Required"),
        ({"type": "object", "not": {"description": "d"}}, ".not.description", "Forbidden"),
        ({"type": "object", "x-kubernetes-embedded-resource": True}, ".properties", "Required"),
        ({"type": "integer", "default": "x"}, ".default", "TypeInvalid"),
        ({"type": "object", "default": {"x": 1}}, ".default", "Invalid"),
        (listed(keys=()), ".x-kubernetes-list-map-keys", "Required"),
        (listed(keys=("z",)), ".x-kubernetes-list-map-keys", "Invalid"),
        (listed(required=()), ".items.properties[k].default", "Required"),
        (listed(type="object"), ".items.properties[k].type", "Invalid"),
        (
            {"type": "array", "x-kubernetes-list-type": "bag", "items": STRING},
            ".x-kubernetes-list-type",
            "NotSupported",
        ),
        ({"type": "string", "x-kubernetes-list-type": "set"}, ".type", "Invalid"),
        ({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "object"}}, ".items", "Invalid"),
        ({"type": "object", "x-kubernetes-map-type": "bag"}, ".x-kubernetes-map-type", "NotSupported"),
        (ruled(rule=" "), ".x-kubernetes-validations[0].rule", "Required"),
        (ruled(rule="self.n >"), ".x-kubernetes-validations[0].rule", "Invalid"),
        (ruled(rule="self.n + 1"), ".x-kubernetes-validations[0].rule", "Invalid"),
        (ruled(rule="1"), ".x-kubernetes-validations[0].rule", "Invalid"),
        (ruled(rule="true", messageExpression="1"), ".x-kubernetes-validations[0].messageExpression", "Invalid"),
        (ruled(rule="true", reason="Bad"), ".x-kubernetes-validations[0].reason", "NotSupported"),
        (ruled(rule="true", fieldPath=".zzz"), ".x-kubernetes-validations[0].fieldPath", "Invalid"),
        (ruled(rule="true\n&& true"), ".x-kubernetes-validations[0].message", "Required"),
        (
            {"type": "array", "items": ruled(rule="self == oldSelf")},
            ".items.x-kubernetes-validations[0].rule",
            "Invalid",
        ),
    ],
)
def test_schemas_that_are_not(spec, field, reason, found):
    assert found(structural.validate(root(**spec), "s")) == {("s.properties[a]" + field, reason)}


@pytest.mark.parametrize(
    ("schema", "field", "reason"),
    [
        (None, "s", "Required"),
        ({}, "s.type", "Required"),
        ({"type": "array"}, "s.type", "Invalid"),
        (
            {"type": "object", "properties": {"metadata": {"properties": {"labels": {}}}}},
            "s.properties[metadata]",
            "Forbidden",
        ),
    ],
)
def test_roots(schema, field, reason, found):
    assert (field, reason) in found(structural.validate(schema, "s"))


def test_depth_is_bounded(found):
    schema = STRING
    for _ in range(300):
        schema = {"type": "object", "properties": {"a": schema}}
    assert any("nested" in cause.message for cause in structural.validate(schema, "s"))
