"""The memory of requests with an id: counts, order and bounds."""

from switchboard.serve.standin import seen
from switchboard.serve.standin.seen import Seen


def test_requests_are_kept_in_order_by_owner_and_id():
    memory = Seen()
    for owner, ident, path in [("a/s", "1", "/x"), ("a/s", "1", "/y"), ("b/s", "1", "/z"), ("a/s", "2", "/w")]:
        memory.record(owner, ident, {"path": path})
    assert memory.of("a/s", "1") == (2, [{"path": "/x"}, {"path": "/y"}])
    assert memory.of("b/s", "1") == (1, [{"path": "/z"}])
    assert memory.of("a/s", "3") == (0, [])


def test_beyond_the_bound_requests_are_counted_only():
    memory = Seen()
    for number in range(seen.MOST_REQUESTS + 5):
        memory.record("a/s", "1", {"n": number})
    count, kept = memory.of("a/s", "1")
    assert count == seen.MOST_REQUESTS + 5
    assert [request["n"] for request in kept] == list(range(seen.MOST_REQUESTS))


def test_the_id_longest_unused_is_forgotten():
    memory = Seen()
    for number in range(seen.MOST_IDS):
        memory.record("a/s", str(number), {})
    memory.record("a/s", "0", {})
    memory.record("a/s", "new", {})
    assert memory.of("a/s", "0")[0] == 2
    assert memory.of("a/s", "1")[0] == 0


def test_what_is_handed_out_is_a_copy():
    memory = Seen()
    memory.record("a/s", "1", {})
    memory.of("a/s", "1")[1].clear()
    assert memory.of("a/s", "1") == (1, [{}])
