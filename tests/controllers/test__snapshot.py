import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.api import selectors
from switchboard.controllers._snapshot import Cache, Index, Snapshot, UndeclaredKindError


def pod(name, labels=None, owner=""):
    meta = {"name": name, "namespace": "d", "labels": labels or {}}
    if owner:
        meta["ownerReferences"] = [{"uid": owner}]
    return {"kind": "Pod", "metadata": meta}


def test_undeclared_kinds_are_refused():
    snapshot = Snapshot(Cache(), frozenset({"Pod"}))
    assert snapshot.get("Pod", "d", "x") is None
    for look in (
        lambda: snapshot.get("Node", "", "n"),
        lambda: snapshot.all("Node"),
        lambda: snapshot.owned("Node", "u"),
        lambda: snapshot.select("Node", "", ()),
        lambda: snapshot.before("Node", "", "n"),
    ):
        with pytest.raises(UndeclaredKindError):
            look()


def test_settings_and_lists_cannot_be_written():
    snapshot = Snapshot(Cache(), frozenset({"Pod"}), settings={"a": 1})
    with pytest.raises(TypeError):
        snapshot.settings["a"] = 2
    with pytest.raises(TypeError):
        snapshot.all("Pod")[("d", "x")] = {}


names = st.sampled_from("abcd")
labels = st.dictionaries(st.sampled_from("xy"), st.sampled_from("12"))


@given(st.lists(st.tuples(names, st.booleans(), labels, st.sampled_from(("", "u1", "u2"))), max_size=12), labels)
def test_indexes_say_what_a_look_at_everything_says(changes, wanted):
    cache = Cache()
    snapshot = Snapshot(cache, frozenset({"Pod"}))
    own = Index("first", "Pod", lambda obj: [obj["metadata"]["name"][0]])
    # The indexes exist from the beginning, so that they have to follow every change.
    snapshot.owned("Pod", "u1"), snapshot.indexed(own, "a")
    snapshot.select("Pod", "d", selectors.from_labels({"x": "1"}))
    for name, remove, values, owner in changes:
        if remove:
            cache.remove("Pod", ("d", name))
        else:
            cache.put("Pod", ("d", name), pod(name, values, owner))
    everything = [cache.objects("Pod")[key] for key in sorted(cache.objects("Pod"))]
    selector = selectors.from_labels(wanted)
    matching = [o for o in everything if selectors.matches(selector, o["metadata"]["labels"])]
    assert snapshot.select("Pod", "d", selector) == matching
    assert snapshot.select("Pod", "elsewhere", selector) == []
    owned = [o for o in everything if o["metadata"].get("ownerReferences") == [{"uid": "u1"}]]
    assert snapshot.owned("Pod", "u1") == owned
    assert snapshot.indexed(own, "a") == [o for o in everything if o["metadata"]["name"] == "a"]


def test_no_selector_selects_nothing():
    cache = Cache()
    cache.put("Pod", ("d", "a"), pod("a"))
    snapshot = Snapshot(cache, frozenset({"Pod"}))
    assert snapshot.select("Pod", "d", None) == []
    assert len(snapshot.select("Pod", "d", selectors.EVERYTHING)) == 1
