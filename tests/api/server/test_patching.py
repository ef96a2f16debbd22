import pytest

from switchboard.api.errors import ApiError
from switchboard.api.server import patching
from switchboard.k8s.kinds import kind_of

KIND = kind_of("v1", "ConfigMap")
OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "n"}, "data": {"a": "1"}}


@pytest.mark.parametrize(
    ("type_", "patch"),
    [
        ("json", [{"op": "replace", "path": "/data/a", "value": "2"}]),
        ("merge", {"data": {"a": "2"}}),
        ("strategic", {"data": {"a": "2"}}),
    ],
)
def test_three_ways_to_the_same(type_, patch):
    assert patching.patched(type_, OBJECT, patch, KIND) == {**OBJECT, "data": {"a": "2"}}
    assert OBJECT["data"] == {"a": "1"}


def test_a_json_patch_that_fails_changes_nothing():
    with pytest.raises(ApiError):
        patching.patched("json", OBJECT, [{"op": "test", "path": "/data/a", "value": "9"}], KIND)


def test_a_json_patch_that_fails_changes_nothing():
    before = config_map({"a": "1"})
    with pytest.raises(ApiError):
        patching.patched("json", before, [{"op": "test", "path": "/data/a", "value": "9"}], CONFIG_MAP)
    assert before == config_map({"a": "1"})
