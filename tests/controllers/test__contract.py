from switchboard.controllers._contract import Create, Part, Plan, controlled_by, dirty, each
from switchboard.controllers._snapshot import Cache, Snapshot


def obj(kind, name, owner=None):
    meta = {"name": name, "namespace": "d", "uid": f"u-{name}"}
    if owner:
        meta["ownerReferences"] = [{"kind": "Parent", "name": owner, "uid": f"u-{owner}", "controller": True}]
    return {"kind": kind, "metadata": meta}


def snapshot(changed):
    cache = Cache()
    for name in ("a", "b"):
        cache.put("Parent", ("d", name), obj("Parent", name))
    cache.put("Child", ("d", "c"), obj("Child", "c", "a"))
    return Snapshot(cache, frozenset({"Parent", "Child"}), changed)


def test_everything_is_dirty_at_the_start_and_afterwards_what_changed():
    related = {"Child": controlled_by("Parent")}
    assert dirty(snapshot(None), "Parent", related) == [("d", "a"), ("d", "b")]
    assert dirty(snapshot({}), "Parent", related) == []
    assert dirty(snapshot({("Parent", "d", "b"): None}), "Parent", related) == [("d", "b")]


def test_a_related_object_counts_as_it_is_and_as_it_was():
    related = {"Child": controlled_by("Parent")}
    moved = snapshot({("Child", "d", "c"): obj("Child", "c", "b")})
    assert dirty(moved, "Parent", related) == [("d", "a"), ("d", "b")]
    gone = snapshot({("Child", "d", "gone"): obj("Child", "gone", "b")})
    assert dirty(gone, "Parent", related) == [("d", "b")]


def test_an_object_that_cannot_be_decided_stops_no_other():
    def decide(key):
        if key[1] == "bad":
            raise ValueError("odd")
        return [Create({"kind": "X"})] if key[1] == "new" else []

    plan = each("K", [("d", "bad"), ("d", "idle"), ("d", "new")], decide)
    assert plan == Plan(
        (
            Part(("K", "d", "bad"), error="ValueError: odd"),
            Part(("K", "d", "new"), (Create({"kind": "X"}),)),
        )
    )
    assert plan.operations == (Create({"kind": "X"}),)


def test_a_part_that_only_waits_is_kept():
    plan = each("K", [("d", "a")], lambda key: Part(("K", *key), requeue_after=5))
    assert plan.parts[0].requeue_after == 5
