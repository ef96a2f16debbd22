"""Endpoints into slices, with as few writes as possible.

In: the slices of one Service and address family as they are, the endpoints wanted by port set.
Out: slices to create, update and delete.
Called by the endpointslice controller.
Specification: sigs.k8s.io "endpointslice" reconciler: no rebalancing, full slices first, deletions become updates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from switchboard.controllers._endpoints import Endpoint, Group, Port, port_key
from switchboard.k8s import objects
from switchboard.k8s.objects import Object, mapping, sequence

MAX_ENDPOINTS = 100


class Packing(msgspec.Struct):
    """What is to be written."""

    create: list[Object] = []
    update: list[Object] = []
    delete: list[Object] = []


def pack(
    existing: list[Object],
    wanted: list[Group],
    make: Callable[[Object | None, list[Port], list[Endpoint]], Object],
    capacity: int = MAX_ENDPOINTS,
) -> Packing:
    """Decide the writes.

    Args:
        existing: slices of this Service and family, of this controller's making.
        wanted: endpoints by port set; without any, one empty slice remains as a placeholder.
        make: a slice with current labels from an existing one (or None for a new one), ports and endpoints;
            it answers the existing slice itself when nothing differs.
        capacity: endpoints in a slice.
    """
    if not any(group.endpoints for group in wanted):
        wanted = [Group([], [])]
    packing = Packing()
    by_ports: dict[bytes, list[Object]] = {}
    for piece in existing:
        by_ports.setdefault(port_key(map(mapping, sequence(piece.get("ports")))), []).append(piece)
    for group in wanted:
        slices = by_ports.pop(port_key(group.ports), [])
        if group.endpoints:
            _pack_group(packing, slices, group, make, capacity)
        else:
            _keep_placeholder(packing, slices, make)
    packing.delete.extend(piece for slices in by_ports.values() for piece in slices)
    _reuse(packing, make)
    return packing


def _keep_placeholder(
    packing: Packing, slices: list[Object], make: Callable[[Object | None, list[Port], list[Endpoint]], Object]
) -> None:
    if not slices:
        packing.create.append(make(None, [], []))
        return
    kept = make(slices[0], [], [])
    if kept is not slices[0]:
        packing.update.append(kept)
    packing.delete.extend(slices[1:])


def _pack_group(
    packing: Packing,
    slices: list[Object],
    group: Group,
    make: Callable[[Object | None, list[Port], list[Endpoint]], Object],
    capacity: int,
) -> None:
    missing = {_identity(endpoint): endpoint for endpoint in group.endpoints}
    unchanged: list[Object] = []
    changing: list[tuple[Object | None, list[Endpoint]]] = []
    for piece in slices:
        identities = [_identity(mapping(old)) for old in sequence(piece.get("endpoints"))]
        # A double entry is taken by the first slice that has it.
        kept = [missing.pop(identity) for identity in identities if identity in missing]
        if not kept:
            packing.delete.append(piece)
        elif make(piece, group.ports, kept) is piece:
            unchanged.append(piece)
        else:
            changing.append((piece, kept))
    rest = list(missing.values())
    for _, kept in sorted(changing, key=lambda entry: -len(entry[1])):
        while rest and len(kept) < capacity:
            kept.append(rest.pop(0))
    while rest:
        target, kept = _to_fill(unchanged, len(rest), capacity)
        if target is not None:
            unchanged.remove(target)
        room = capacity - len(kept)
        kept, rest = [*kept, *rest[:room]], rest[room:]
        changing.append((target, kept))
    for piece_or_new, kept in changing:
        made = make(piece_or_new, group.ports, kept)
        (packing.create if piece_or_new is None else packing.update).append(made)


def _to_fill(unchanged: list[Object], count: int, capacity: int) -> tuple[Object | None, list[Endpoint]]:
    """The unchanged slice that becomes fullest with ``count`` more, or a new one."""
    fitting = [piece for piece in unchanged if len(sequence(piece.get("endpoints"))) + count <= capacity]
    if count >= capacity or not fitting:
        return None, []
    fullest = max(fitting, key=lambda piece: len(sequence(piece.get("endpoints"))))
    return fullest, list(sequence(fullest.get("endpoints")))


def _reuse(packing: Packing, make: Callable[[Object | None, list[Port], list[Endpoint]], Object]) -> None:
    """Turn pairs of a deletion and a creation into updates."""
    while packing.create and packing.delete:
        created, old = packing.create.pop(), packing.delete.pop()
        packing.update.append(make(old, sequence(created.get("ports")), sequence(created.get("endpoints"))))


def _identity(endpoint: dict[str, Any]) -> tuple[Any, ...]:
    target = mapping(endpoint.get("targetRef"))
    return (target.get("uid"), target.get("name"), *sequence(endpoint.get("addresses")))


def slice_key(piece: Object) -> tuple[str, str]:
    """Namespace and name, for deletions."""
    return objects.namespace(piece), objects.name(piece)
