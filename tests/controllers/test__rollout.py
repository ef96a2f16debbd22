import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.controllers._rollout import Size, bounds, new_size, old_sizes, proportional, resolve


@pytest.mark.parametrize(
    ("value", "up", "expected"),
    [
        (3, True, 3),
        ("25%", True, 3),
        ("25%", False, 2),
        ("0%", True, 0),
        ("x", True, 0),
        (None, True, 0),
        (-1, True, 0),
    ],
)
def test_numbers_and_percentages(value, up, expected):
    assert resolve(value, 10, up=up) == expected


def test_nothing_may_be_both_zero():
    assert bounds("1%", "1%", 10) == (1, 0)
    assert bounds(0, "1%", 10) == (0, 1)
    assert bounds(0, 100, 4) == (0, 4)


counts = st.integers(0, 12)


@given(st.integers(1, 10), counts, counts, st.integers(0, 5), st.integers(0, 5))
def test_a_rollout_reaches_its_end_and_stays_within_its_bounds(wanted, old, available, surge, unavailable):
    surge, unavailable = bounds(surge, unavailable, wanted)
    old = min(old, wanted + surge)
    new = Size("new", 0, 0)
    olds = [Size("old", old, min(available, old))]
    for _ in range(60):
        size = new_size(wanted, surge, new, olds)
        shrunk = old_sizes(wanted, unavailable, new, olds) if size == new.replicas else {}
        before = new.available + olds[0].available
        new = Size("new", size, size)
        replicas = shrunk.get("old", olds[0].replicas)
        olds = [Size("old", replicas, min(olds[0].available, replicas))]
        assert new.replicas + olds[0].replicas <= wanted + surge
        assert new.available + olds[0].available >= min(before, wanted - unavailable)
    assert (new.replicas, olds[0].replicas) == (wanted, 0)


def test_broken_old_pods_go_first():
    olds = [Size("a", 3, 0), Size("b", 3, 3)]
    assert old_sizes(6, 2, Size("new", 0), olds) == {"a": 1}


@given(st.lists(st.integers(0, 9), min_size=1, max_size=4), st.integers(0, 40))
def test_a_share_adds_up_and_keeps_the_order_of_sizes(replicas, target):
    sizes = [Size(str(n), r) for n, r in enumerate(replicas)]
    shared = proportional(sizes, target)
    after = [shared.get(s.name, s.replicas) for s in sizes]
    if sum(replicas):
        assert sum(after) == target
        for one, other in itertools.pairwise(sizes):
            if one.replicas > other.replicas:
                assert after[int(one.name)] >= after[int(other.name)]
    else:
        assert shared == {}
