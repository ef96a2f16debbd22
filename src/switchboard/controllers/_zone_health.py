"""How much of a cluster and of each zone is down: when most of it is, evicting pods would only make it worse.

In: all nodes.  Out: whether pods may be evicted from a node that is not ready.
Called by the nodelifecycle controller.
Specification: https://kubernetes.io/docs/concepts/architecture/nodes/#rate-limits-on-eviction
The rate itself (one node in ten seconds) is not imitated: a node's pods are evicted when their time has come.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from fractions import Fraction

from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object

UNHEALTHY = Fraction(55, 100)  # of a zone's nodes, from which on it is partially disrupted
LARGE = 50  # nodes of a zone; larger ones go on evicting, slowly


class Eviction(Enum):
    """What is to happen to the pods of a node that is not ready."""

    EVICT = "evict"
    # Nodes that are tainted already stay so, no further ones are.
    HOLD = "hold"
    # Nothing works anywhere: the fault is more likely ours than the nodes'.
    NEVER = "never"


def zone_of(node: Object) -> tuple[str, str]:
    """Region and zone; nodes without labels share one zone."""
    labels = objects.labels(node)
    return labels.get(names.REGION_LABEL, ""), labels.get(names.ZONE_LABEL, "")


def evictions(nodes: Iterable[Object]) -> dict[tuple[str, str], Eviction]:
    """What holds in each zone; nodes that never told whether they are ready count for nothing."""
    counts: dict[tuple[str, str], list[int]] = {}
    for node in nodes:
        state = objects.condition(node, "Ready")
        if state:
            counts.setdefault(zone_of(node), [0, 0])[state == "True"] += 1
    if counts and not any(ready for _, ready in counts.values()):
        return dict.fromkeys(counts, Eviction.NEVER)
    return {zone: _of_zone(unready, ready) for zone, (unready, ready) in counts.items()}


def _of_zone(unready: int, ready: int) -> Eviction:
    partially = ready > 0 and unready > 2 and Fraction(unready, unready + ready) >= UNHEALTHY
    return Eviction.HOLD if partially and unready + ready <= LARGE else Eviction.EVICT
