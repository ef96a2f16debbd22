import pytest

from switchboard.api.errors import ServerFault
from switchboard.api.patch.ordering import arrange, check, element_kind, go_text, identity, key_of


def named(*names):
    return [{"name": name} for name in names]


@pytest.mark.parametrize(
    ("merged", "order", "before", "expected"),
    [
        ("abc", "ca", "ab", "cab"),
        ("abc", "", "abc", "abc"),
        ("abcd", "dc", "abcd", "abdc"),
        ("abcde", "ea", "abcde", "bcdea"),
        ("xab", "x", "ab", "xab"),
    ],
)
def test_named_items_come_in_order_and_the_others_stay_among_them(merged, order, before, expected):
    assert arrange(list(merged), list(order), list(before), "") == list(expected)
    assert arrange(named(*merged), named(*order), named(*before), "name") == named(*expected)


def test_an_item_without_its_key_has_no_place():
    with pytest.raises(ServerFault, match=r"map: map\[image:z\] does not contain declared merge key: name"):
        arrange([{"image": "z"}], [], [], "name")
    with pytest.raises(ServerFault, match="expected a map"):
        key_of("text", "name")


def test_the_order_must_name_what_the_patch_names_in_the_same_order():
    check(named("a", "c"), named("a", "b", "c"), "name")
    check([{"$patch": "delete", "name": "z"}], named("a"), "name")
    for order in (named("a"), named("c", "b", "a")):
        with pytest.raises(ServerFault, match="doesn't match"):
            check(named("a", "c"), order, "name")


def test_items_are_of_one_type():
    assert element_kind([1], [2]) is int
    assert element_kind([], []) is type(None)
    for values, told in ([[[1]], "lists of lists"], [[1, "a"], "not identical"]):
        with pytest.raises(ServerFault, match=told):
            element_kind(values)


def test_identity_tells_json_types_apart():
    assert len({identity(v) for v in (1, True, "1", None, 1.5, [1], {"a": 1})}) == 7
    assert identity({"a": 1, "b": 2}) == identity({"b": 2, "a": 1})


def test_values_as_messages_show_them():
    assert (
        go_text({"name": "a", "$patch": "x", "n": [1, True, None, 1.5]}) == "map[$patch:x n:[1 true <nil> 1.5] name:a]"
    )


def test_messages_stay_short():
    assert len(go_text(["x" * 100] * 10_000)) == 2001
