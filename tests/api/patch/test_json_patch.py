import pytest

from switchboard.api.errors import BadRequest, Invalid, RequestEntityTooLarge
from switchboard.api.patch.json_patch import MOST_COPIED, apply, equal, pointer

# The examples of RFC 6902, appendix A, by their numbers; None where the document is to be refused.
APPENDIX = {
    1: ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    2: (
        {"foo": ["bar", "baz"]},
        [{"op": "add", "path": "/foo/1", "value": "qux"}],
        {"foo": ["bar", "qux", "baz"]},
    ),
    3: ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    4: ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    5: (
        {"baz": "qux", "foo": "bar"},
        [{"op": "replace", "path": "/baz", "value": "boo"}],
        {"baz": "boo", "foo": "bar"},
    ),
    6: (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    7: (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    8: (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    9: ({"baz": "qux"}, [{"op": "test", "path": "/baz", "value": "bar"}], None),
    10: (
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    11: ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}], {"foo": "bar", "baz": "qux"}),
    12: ({"foo": "bar"}, [{"op": "add", "path": "/baz/bat", "value": "qux"}], None),
    14: ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    15: ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": "10"}], None),
    16: ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["a", "b"]}], {"foo": ["bar", ["a", "b"]]}),
}


@pytest.mark.parametrize(("document", "patch", "expected"), APPENDIX.values(), ids=APPENDIX)
def test_the_examples_of_the_rfc(document, patch, expected):
    if expected is None:
        with pytest.raises(Invalid, match="the server rejected our request"):
            apply(document, patch)
    else:
        assert apply(document, patch) == expected


@pytest.mark.parametrize(
    ("path", "parts"),
    [("", []), ("/", [""]), ("/a~1b", ["a/b"]), ("/m~0n", ["m~n"]), ("/~01", ["~1"]), ("/a/", ["a", ""])],
)
def test_pointers(path, parts):
    assert pointer(path) == parts


def test_a_pointer_begins_with_a_slash():
    with pytest.raises(ValueError, match="not a JSON pointer"):
        pointer("a")


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": ""},
        {"op": "remove", "path": "/l/2"},
        {"op": "remove", "path": "/l/-3"},
        {"op": "remove", "path": "/l/00"},
        {"op": "remove", "path": "/l/x"},
        {"op": "remove", "path": "/l/-"},
        {"op": "remove", "path": "/l/²"},
        {"op": "remove", "path": "/l/" + "1" * 5000},
        {"op": "remove", "path": "s"},
        {"op": "replace", "path": "/none", "value": 1},
        {"op": "replace", "path": "/s"},
        {"op": "add", "path": "/s/x", "value": 1},
        {"op": "add", "path": "/l/3", "value": 1},
        {"op": "add", "path": "/new"},
        {"op": "copy", "from": "/none", "path": "/x"},
        {"op": "move", "from": "/m", "path": "/m/below"},
        {"op": "test", "path": "/s", "value": "other"},
        {"op": "test", "path": "/none", "value": None},
        {"op": "ADD", "path": "/x", "value": 1},
        {"path": "/x", "value": 1},
    ],
)
def test_refused_operations_change_nothing(operation):
    document = {"l": [1, 2], "s": "text", "m": {}}
    with pytest.raises(Invalid):
        apply(document, [{"op": "add", "path": "/new", "value": 1}, operation])
    assert document == {"l": [1, 2], "s": "text", "m": {}}


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        ({"op": "add"}, "cannot unmarshal object into Go value of type"),
        ("text", "cannot unmarshal string"),
        (1, "cannot unmarshal number"),
        (True, "cannot unmarshal bool"),
        (["text"], "error decoding patch"),
        ([{"op": 1}], "error decoding patch"),
        ([{"op": "add", "path": ["a"]}], "error decoding patch"),
    ],
)
def test_what_is_no_list_of_operations_is_a_bad_request(patch, told):
    with pytest.raises(BadRequest, match=told):
        apply({}, patch)


def test_negative_positions_count_from_the_end():
    assert apply({"l": [1, 2, 3]}, [{"op": "remove", "path": "/l/-1"}]) == {"l": [1, 2]}
    assert apply({"l": [1, 2]}, [{"op": "add", "path": "/l/-1", "value": 9}]) == {"l": [1, 2, 9]}


def test_the_number_of_operations_is_limited():
    patch = [{"op": "test", "path": "/a", "value": 1}] * 4
    assert apply({"a": 1}, patch, most_operations=4) == {"a": 1}
    with pytest.raises(RequestEntityTooLarge, match="maximum operations in a JSON patch is 3, got 4"):
        apply({"a": 1}, patch, most_operations=3)


def test_copying_cannot_blow_a_document_up():
    doubling = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 100
    with pytest.raises(Invalid):
        apply({"a": ["x" * 1000]}, doubling)
    big = "x" * (MOST_COPIED // 2)
    once = [{"op": "copy", "from": "/a", "path": "/b"}]
    assert apply({"a": big}, once) == {"a": big, "b": big}
    with pytest.raises(Invalid):
        apply({"a": big}, [*once, {"op": "copy", "from": "/a", "path": "/c"}])


def test_moving_cannot_nest_a_document_beyond_the_limit():
    deeper = [
        {"op": "add", "path": "/x", "value": {}},
        {"op": "move", "from": "/a", "path": "/x/a"},
        {"op": "move", "from": "/x", "path": "/a"},
    ]
    with pytest.raises(BadRequest, match="nested"):
        apply({"a": {}}, deeper * 3000)


def test_a_value_is_not_shared_with_the_patch():
    patch = [
        {"op": "add", "path": "/a", "value": {"n": 1}},
        {"op": "replace", "path": "/a/n", "value": 2},
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "replace", "path": "/b/n", "value": 3},
    ]
    assert apply({}, patch) == {"a": {"n": 2}, "b": {"n": 3}}
    assert patch[0]["value"] == {"n": 1}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (None, False, False),
        ("1", 1, False),
        ([1, True], [1, 1], False),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ({"a": [{}]}, {"a": [{}]}, True),
    ],
)
def test_equality_is_that_of_json(one, other, same):
    assert equal(one, other) is same
