import pytest

from switchboard.api.managed_set import (
    MEMBER,
    decode,
    difference,
    encode,
    has,
    intersection,
    item,
    keyed,
    path,
    paths,
    union,
    without,
)

SPEC, NAME, IMAGE = path("spec"), path("spec", "name"), path("spec", "image")
BOTH = union(NAME, IMAGE)


def test_operations():
    assert union(SPEC, NAME) == {"f:spec": {".": {}, "f:name": MEMBER}}
    assert difference(BOTH, NAME) == IMAGE
    assert difference(SPEC, NAME) == SPEC
    assert difference(NAME, SPEC) == NAME
    assert without(NAME, SPEC) == {}
    assert without(union(SPEC, NAME), NAME) == SPEC
    assert intersection(BOTH, union(NAME, SPEC)) == NAME
    assert intersection(NAME, SPEC) == {}


def test_nothing_is_left_of_what_is_empty():
    assert difference(NAME, NAME) == {}
    assert without(BOTH, BOTH) == {}
    assert intersection(NAME, IMAGE) == {}


def test_membership():
    assert has(NAME, "f:spec", "f:name")
    assert not has(NAME, "f:spec")
    assert not has(NAME, "f:none", "f:name")


def test_wire_form():
    wire = {
        "f:spec": {
            "f:ports": {".": {}, 'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}}},
            "f:tags": {'v:"x"': {}},
            "f:list": {"i:0": {}},
            "f:.": {},
        }
    }
    assert encode(decode(wire)) == wire


def test_keys_have_one_spelling():
    assert decode({'k:{"protocol": "TCP", "port": 80}': {}}) == {keyed({"port": 80, "protocol": "TCP"}): MEMBER}
    assert decode({"v: 1 ": {}}) == {item(1): MEMBER}


@pytest.mark.parametrize("wire", [1, [], {"spec": {}}, {"f:a": 1}, {"k:{": {}}, {"k:1": {}}, {"v:": {}}, {"i:x": {}}])
def test_what_is_no_set(wire):
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        decode(wire)


def test_a_tree_too_deep_is_no_set():
    wire = {}
    for _ in range(300):
        wire = {"f:a": wire}
    with pytest.raises(ValueError, match="tree"):
        decode(wire)


def test_paths_name_members_of_a_level_first():
    found = decode(
        {
            "f:spec": {"f:b": {"f:x": {}}, "f:a": {".": {}, "f:y": {}}},
            "f:l": {'v:"x"': {}, 'k:{"port":80,"protocol":"TCP"}': {"f:name": {}}, "i:3": {}},
            "f:z": {},
        }
    )
    assert list(paths(found)) == [
        ".z",
        '.l[="x"]',
        ".l[3]",
        '.l[port=80,protocol="TCP"].name',
        ".spec.a",
        ".spec.a.y",
        ".spec.b.x",
    ]
