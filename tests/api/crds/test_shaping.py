from hypothesis import given
from hypothesis import strategies as st

from switchboard.api.crds import shaping
from switchboard.k8s.objects import copied

SPEC = {
    "type": "object",
    "default": {},
    "properties": {
        "size": {"type": "integer", "default": 7},
        "note": {"type": "string"},
        "keep": {"type": "string", "nullable": True, "default": "d"},
        "ports": {
            "type": "array",
            "items": {"type": "object", "properties": {"p": {"type": "integer", "default": 80}}},
        },
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
        "open": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"closed": {"type": "object", "properties": {"a": {"type": "string"}}}},
        },
        "pod": {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": {"type": "object"}}},
    },
}
SCHEMA = {"type": "object", "properties": {"spec": SPEC}}


def test_unknown_fields_are_taken_out_and_told():
    obj = {
        "apiVersion": "e.com/v1",
        "kind": "G",
        "metadata": {"name": "g", "bogus": 1},
        "top": 1,
        "spec": {
            "x": 1,
            "ports": [{"p": 1, "q": 2}],
            "map": {"any": "y"},
            "open": {"free": {"z": 1}, "closed": {"a": "1", "b": "2"}},
            "pod": {"apiVersion": "v1", "kind": "P", "metadata": {"name": "p", "bad": 1}, "data": 1},
        },
    }
    assert shaping.prune(SCHEMA, obj) == [
        "metadata.bogus", "top", "spec.x", "spec.ports[0].q", "spec.open.closed.b", "spec.pod.metadata.bad",
        "spec.pod.data",
    ]  # fmt: skip
    assert obj["spec"] == {
        "ports": [{"p": 1}],
        "map": {"any": "y"},
        "open": {"free": {"z": 1}, "closed": {"a": "1"}},
        "pod": {"apiVersion": "v1", "kind": "P", "metadata": {"name": "p"}},
    }


def test_defaults_are_filled_in_from_the_outside():
    obj = {}
    shaping.default(SCHEMA, obj)
    assert obj == {"spec": {"size": 7, "keep": "d"}}
    obj = {"spec": {"size": 0, "ports": [{}, {"p": 1}]}}
    shaping.default(SCHEMA, obj)
    assert obj == {"spec": {"size": 0, "keep": "d", "ports": [{"p": 80}, {"p": 1}]}}
    assert SPEC["default"] == {}, "a default is copied"


def test_a_null_is_a_missing_value_where_it_may_not_be():
    obj = {"spec": {"size": None, "note": None, "keep": None, "map": {"a": None}, "open": {"free": None}}}
    shaping.default(SCHEMA, obj)
    shaping.drop_nulls(SCHEMA, obj)
    assert obj == {"spec": {"size": 7, "keep": None, "map": {}, "open": {"free": None}}}


def test_whole_floats_are_whole_numbers():
    assert repr(shaping.whole_numbers({"a": [5.0, 1.5, 1e300, True]})) == "{'a': [5, 1.5, 1e+300, True]}"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*SPEC["properties"], "a", "spec", "metadata"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["spec", "metadata", "x"]), _VALUES))
def test_any_object_is_shaped_once_and_for_all(obj):
    def shape(value):
        dropped = shaping.prune(SCHEMA, value)
        shaping.default(SCHEMA, value)
        shaping.drop_nulls(SCHEMA, value)
        return dropped

    shape(obj)
    before = copied(obj)
    assert shape(obj) == []
    assert obj == before
