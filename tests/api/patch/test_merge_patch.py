import pytest

from switchboard.api.errors import BadRequest
from switchboard.api.patch.merge_patch import apply, check

# RFC 7386, appendix A.
APPENDIX = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("document", "patch", "expected"), APPENDIX)
def test_the_examples_of_the_rfc(document, patch, expected):
    assert apply(document, patch) == expected


def test_the_document_is_left_alone():
    document = {"a": {"b": 1}}
    apply(document, {"a": {"b": None, "c": {"d": 1}}})
    assert document == {"a": {"b": 1}}


@pytest.mark.parametrize(("patch", "kind"), [([], "array"), ("x", "string"), (True, "bool"), (1, "number")])
def test_an_object_is_patched_by_objects_only(patch, kind):
    with pytest.raises(BadRequest, match=f"cannot unmarshal {kind} into Go value"):
        check(patch)
