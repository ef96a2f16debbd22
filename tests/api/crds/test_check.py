import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.api.crds import check

LIST_MAP = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer", "maximum": 5}}},
}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "integer", "minimum": 1}, 0, {("x", "Invalid")}),
        ({"type": "integer", "minimum": 1}, 1, set()),
        ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, 1, {("x", "Invalid")}),
        ({"type": "integer", "maximum": 10}, 11, {("x", "Invalid")}),
        ({"type": "number", "multipleOf": 0.1}, 0.3, set()),
        ({"type": "number", "multipleOf": 0.5}, 0.7, {("x", "Invalid")}),
        ({"type": "integer", "format": "int32"}, 2**31, {("<nil>", "Invalid")}),
        ({"type": "integer"}, "5", {("x", "TypeInvalid")}),
        ({"type": "integer"}, 5.5, {("x", "TypeInvalid"), ("<nil>", "Invalid")}),
        ({"type": "integer"}, True, {("x", "TypeInvalid")}),
        ({"type": "number"}, 5, set()),
        ({"type": "string"}, None, {("x", "TypeInvalid")}),
        ({"type": "string", "nullable": True}, None, set()),
        ({"type": "string", "pattern": "^a"}, "b", {("x", "Invalid")}),
        ({"type": "string", "minLength": 2}, "a", {("x", "Invalid")}),
        ({"type": "string", "maxLength": 1}, "ab", {("x", "TooLong")}),
        ({"type": "string", "format": "ipv4"}, "a", {("x", "TypeInvalid")}),
        ({"type": "string", "enum": ["a"]}, "b", {("x", "NotSupported")}),
        ({"type": "array", "minItems": 1}, [], {("x", "Invalid")}),
        ({"type": "array", "maxItems": 1}, [1, 2], {("x", "TooMany")}),
        ({"type": "array", "items": {"type": "string"}}, ["a", 1], {("x[1]", "TypeInvalid")}),
        ({"type": "array", "x-kubernetes-list-type": "set"}, [1, 2, 1], {("x[2]", "Duplicate")}),
        (LIST_MAP, [{"name": "a"}, {"name": "a", "n": 6}], {("x[1]", "Duplicate"), ("x[1].n", "Invalid")}),
        ({"type": "object", "maxProperties": 1}, {"a": 1, "b": 2}, {("x", "TooMany")}),
        ({"type": "object", "required": ["a"]}, {}, {("x.a", "Required")}),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"a": 1}, {("x.a", "TypeInvalid")}),
        ({"x-kubernetes-int-or-string": True}, True, {("x", "TypeInvalid")}),
        ({"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}, "80%", set()),
        ({"type": "object", "x-kubernetes-embedded-resource": True}, {"kind": "K"}, {("x.apiVersion", "Required")}),
        (
            {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {"a": 1, "b": 1},
            {("<nil>", "Invalid")},
        ),
        ({"type": "object", "anyOf": [{"required": ["a"]}]}, {}, {("<nil>", "Invalid"), ("x.a", "Required")}),
        ({"type": "integer", "allOf": [{"minimum": 3}]}, 1, {("<nil>", "Invalid"), ("x", "Invalid")}),
        ({"type": "integer", "not": {"minimum": 3}}, 5, {("<nil>", "Invalid")}),
        ({"type": "integer", "not": {"minimum": 3}}, 1, set()),
    ],
)
def test_values(schema, value, expected, found):
    assert found(check.check(schema, value, "x")) == expected


def test_what_an_update_leaves_is_accepted(found):
    schema = {"type": "object", "properties": {"a": {"type": "integer", "maximum": 1}, "b": LIST_MAP}}
    old = {"a": 5, "b": [{"name": "x", "n": 9}, {"name": "y", "n": 1}]}
    new = {"a": 5, "b": [{"name": "y", "n": 8}, {"name": "x", "n": 9}]}
    assert found(check.check(schema, new, "", old)) == {("b[0].n", "Invalid")}
    assert len(check.check(schema, new)) == 3


def test_one_and_true_differ():
    assert check.same({"a": [1, 1.0]}, {"a": [1.0, 1]})
    assert not check.same({"a": 1}, {"a": True})
    assert not check.same([1], [1, 1])


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda i: st.lists(i) | st.dictionaries(st.text(), i)
    )
)
def test_no_value_raises(value):
    for cause in check.check({"type": "object", "properties": {"a": LIST_MAP}}, value, "x"):
        assert cause.field
        assert cause.message
