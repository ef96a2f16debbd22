import pytest

from switchboard.controllers._zone_health import Eviction, evictions


def nodes(zone, ready, unready, silent=0):
    labels = {"topology.kubernetes.io/zone": zone}

    def node(state):
        conditions = [{"type": "Ready", "status": state}] if state else []
        return {"metadata": {"labels": labels}, "status": {"conditions": conditions}}

    return (
        [node("True")] * ready
        + [node("Unknown")] * (unready // 2)
        + [node("False")] * (unready - unready // 2)
        + [node("")] * silent
    )


@pytest.mark.parametrize(
    ("ready", "unready", "expected"),
    [
        (3, 0, Eviction.EVICT),
        (1, 2, Eviction.EVICT),  # too few to speak of a zone in trouble
        (3, 3, Eviction.EVICT),  # half of it
        (2, 3, Eviction.HOLD),
        (40, 60, Eviction.EVICT),  # large zones go on
        (0, 3, Eviction.EVICT),  # the other zone works
    ],
)
def test_a_zone(ready, unready, expected):
    found = evictions([*nodes("a", ready, unready), *nodes("b", 1, 0)])
    assert found == {("", "a"): expected, ("", "b"): Eviction.EVICT}


def test_when_nothing_works_nobody_is_evicted():
    found = evictions([*nodes("a", 0, 2), *nodes("b", 0, 1, silent=1)])
    assert set(found.values()) == {Eviction.NEVER}


def test_nodes_that_never_spoke_count_for_nothing():
    assert evictions(nodes("a", 0, 0, silent=2)) == {}
