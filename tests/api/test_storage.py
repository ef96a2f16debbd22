import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.api.errors import Expired
from switchboard.api.storage import ADDED, DELETED, MODIFIED, MemoryStorage


def put(storage, name, data=b"1", namespace="a"):
    return storage.put("K", namespace, name, data, {})


class AbortError(Exception):
    pass


def fail(storage, name):
    """A transaction that writes and then fails."""
    try:
        with storage.transaction():
            put(storage, name)
            raise AbortError
    except AbortError:
        return


def test_every_change_is_one_revision_and_one_event():
    storage = MemoryStorage()
    put(storage, "x")
    put(storage, "x", b"2")
    storage.remove("K", "a", "x", b"3")
    events = storage.events(0)
    assert [(e.type, e.resource_version, e.data, e.previous) for e in events] == [
        (ADDED, 1, b"1", None),
        (MODIFIED, 2, b"2", b"1"),
        (DELETED, 3, b"3", b"2"),
    ]
    assert storage.get("K", "a", "x") is None


def test_events_are_those_after_a_revision_and_of_the_kinds_asked_for():
    storage = MemoryStorage()
    put(storage, "x")
    storage.put("L", "a", "y", b"1", {})
    assert [e.name for e in storage.events(1)] == ["y"]
    assert [e.name for e in storage.events(0, {"K"})] == ["x"]


def test_a_forgotten_revision_is_expired_and_a_remembered_one_is_not():
    storage = MemoryStorage(log_limit=10)
    for number in range(25):
        put(storage, str(number))
    assert len(storage.events(storage.revision - 10)) == 10
    with pytest.raises(Expired):
        storage.events(0)


def test_records_come_ordered_by_namespace_and_name():
    storage = MemoryStorage()
    for namespace, name in (("b", "1"), ("a", "2"), ("a", "1")):
        put(storage, name, namespace=namespace)
    assert [(r.namespace, r.name) for r in storage.scan("K")] == [("a", "1"), ("a", "2"), ("b", "1")]
    assert [r.name for r in storage.scan("K", "a")] == ["1", "2"]


def test_subscribers_hear_of_a_transaction_once_and_of_an_undone_one_never():
    storage, heard = MemoryStorage(), []
    stop = storage.subscribe(lambda: heard.append(storage.revision))
    with storage.transaction():
        put(storage, "x")
        put(storage, "y")
    fail(storage, "z")
    stop()
    put(storage, "w")
    assert heard == [2]


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.booleans(), st.booleans()), max_size=12), st.integers(0, 12))
def test_an_undone_transaction_leaves_no_trace(steps, start):
    storage = MemoryStorage()

    def play(chosen):
        for name, remove, _ in chosen:
            if not remove:
                put(storage, name, name.encode())
            elif storage.get("K", "a", name):
                storage.remove("K", "a", name, b"")

    play(steps[:start])
    before = (storage.revision, list(storage.scan("K")), storage.events(0))
    try:
        with storage.transaction():
            play(steps[start:])
            raise AbortError
    except AbortError:
        pass
    assert (storage.revision, list(storage.scan("K")), storage.events(0)) == before


def test_an_inner_transaction_can_fail_alone():
    storage = MemoryStorage()
    with storage.transaction():
        put(storage, "kept")
        fail(storage, "lost")
        put(storage, "too")
    assert [r.name for r in storage.scan("K")] == ["kept", "too"]
    assert [e.resource_version for e in storage.events(0)] == [1, 2]
