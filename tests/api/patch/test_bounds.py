import pytest

from switchboard.api.errors import BadRequest
from switchboard.api.patch.bounds import MAX_DEPTH, bounded, copied


def nested(depth, kind=dict):
    value = kind()
    for _ in range(depth):
        value = {"a": value} if kind is dict else [value]
    return value


@pytest.mark.parametrize("kind", [dict, list])
def test_depth_is_limited(kind):
    assert bounded(nested(MAX_DEPTH, kind)) == nested(MAX_DEPTH, kind)
    with pytest.raises(BadRequest, match="nested more than 128 levels"):
        bounded(nested(MAX_DEPTH + 1, kind))


def test_a_very_deep_value_needs_no_recursion():
    with pytest.raises(BadRequest):
        bounded(nested(100_000, list))


def test_a_copy_shares_nothing():
    value = {"a": [{"b": 1}]}
    found = copied(value)
    found["a"][0]["b"] = 2
    assert value == {"a": [{"b": 1}]}


@pytest.mark.parametrize("value", ["\ud800", {"\udc00": 1}, {"a": object()}, {1.5j: 1}])
def test_what_is_no_json_is_refused(value):
    with pytest.raises(BadRequest):
        copied(value)
