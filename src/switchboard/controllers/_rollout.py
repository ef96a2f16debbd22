"""The arithmetic of a rolling update: how many pods each ReplicaSet of a Deployment gets next.

In: sizes and available pods of the new and the old ReplicaSets, surge and unavailability allowed.
Out: new sizes.  Numbers only; called by the deployment controller.
Specification: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#strategy
"""

from __future__ import annotations

import math
import re

import msgspec


class Size(msgspec.Struct, frozen=True):
    """One ReplicaSet: pods wanted (``replicas``) and pods that are available."""

    name: str
    replicas: int
    available: int = 0


def resolve(value: object, total: int, *, up: bool, default: int = 0) -> int:
    """An int-or-percent field as a number of pods; percentages round up or down; unreadable gives the default."""
    if isinstance(value, int) and not isinstance(value, bool):
        return max(value, 0)
    found = re.fullmatch(r"(\d+)%", value) if isinstance(value, str) else None
    if found is None:
        return default
    exact = total * int(found[1]) / 100
    return math.ceil(exact) if up else math.floor(exact)


def bounds(max_surge: object, max_unavailable: object, replicas: int) -> tuple[int, int]:
    """Pods allowed above and missing below ``replicas``; never both zero, or nothing could move."""
    surge = resolve(max_surge, replicas, up=True)
    unavailable = resolve(max_unavailable, replicas, up=False)
    return (surge, 1) if surge == 0 and unavailable == 0 else (surge, min(unavailable, replicas))


def new_size(wanted: int, surge: int, new: Size, old: list[Size]) -> int:
    """The next size of the new ReplicaSet: up as far as the surge allows, or down to what is wanted."""
    if new.replicas > wanted:
        return wanted
    room = wanted + surge - new.replicas - sum(size.replicas for size in old)
    return new.replicas + max(0, min(room, wanted - new.replicas))


def old_sizes(wanted: int, unavailable: int, new: Size, old: list[Size]) -> dict[str, int]:
    """The next sizes of the old ReplicaSets (oldest first) that change: first their unavailable pods, then others."""
    sizes = {size.name: size.replicas for size in old}
    total_old = sum(sizes.values())
    minimum = wanted - unavailable
    budget = total_old + new.replicas - minimum - (new.replicas - min(new.available, new.replicas))
    if total_old == 0 or budget <= 0:
        return {}
    for size in old:
        sick = max(0, size.replicas - size.available)
        taken = min(sick, budget)
        sizes[size.name] -= taken
        budget -= taken
    available = new.available + sum(min(size.available, size.replicas) for size in old)
    spare = max(0, available - minimum)
    for size in old:
        taken = min(sizes[size.name], spare)
        sizes[size.name] -= taken
        spare -= taken
    return {size.name: sizes[size.name] for size in old if sizes[size.name] != size.replicas}


def proportional(sizes: list[Size], target: int) -> dict[str, int]:
    """Share a total among ReplicaSets in proportion to their sizes; larger ones take the rest of the rounding.

    ``sizes`` is ordered newest first.
    """
    total = sum(size.replicas for size in sizes)
    if total == 0:
        return {}
    exact = {size.name: size.replicas * target / total for size in sizes}
    shared = {name: math.floor(value) for name, value in exact.items()}
    left = target - sum(shared.values())
    ranked = sorted(sizes, key=lambda size: (-(exact[size.name] - shared[size.name]), -size.replicas))
    for size in ranked[:left]:
        shared[size.name] += 1
    return {size.name: shared[size.name] for size in sizes if shared[size.name] != size.replicas}
