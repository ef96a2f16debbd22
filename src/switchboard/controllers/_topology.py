"""Hints by CPU: the annotation ``service.kubernetes.io/topology-mode: Auto`` shares endpoints among zones.

In: nodes, and the slices of one Service and address family as they are to be written.
Out: the same slices with ``hints.forZones`` on ready endpoints, or without any, and why there are none.
Called by the endpointslice controller.
Specification: https://kubernetes.io/docs/concepts/services-networking/topology-aware-routing/
(KEP-2433: a zone may be overloaded by at most 20 %; unchanged slices keep hints that still hold).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import msgspec

from switchboard.k8s import names, objects, quantity
from switchboard.k8s.objects import Object, mapping, sequence, text

OVERLOAD = Fraction(6, 5)
ENABLED, DISABLED = "TopologyAwareHintsEnabled", "TopologyAwareHintsDisabled"
HAS_BEEN_ENABLED = "Topology Aware Hints has been enabled"
HAS_BEEN_DISABLED = "Topology Aware Hints has been disabled"
NO_NODE_INFORMATION = (
    "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
)
ONE_ZONE = "Nodes only ready in one zone"
TOO_FEW = "Insufficient number of endpoints ({} endpoints, {} zones)"
OVER_THRESHOLD = (
    "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold "
    "({} endpoints, {} zones)"
)
NO_ZONE = "One or more endpoints do not have a zone specified"
NONE_ALLOCATED = "No hints allocated for zones"
_EXCLUDED = (names.CONTROL_PLANE_LABEL, names.MASTER_LABEL)

Endpoint = Mapping[str, Any]


class Share(msgspec.Struct, frozen=True):
    """How many endpoints a zone is to have: at least, at most, and ideally."""

    minimum: int
    maximum: int
    desired: Fraction


class Hinted(msgspec.Struct, frozen=True):
    """Slices with their hints, in the order they were given; ``refusal`` says why there are no hints."""

    slices: tuple[Object, ...]
    refusal: str = ""


def enabled(service: Object) -> bool:
    """Whether the annotation asks for hints by CPU; the older annotation decides when both are there."""
    annotations = objects.annotations(service)
    return annotations.get(names.TOPOLOGY_AWARE_HINTS, annotations.get(names.TOPOLOGY_MODE)) in ("Auto", "auto")


def standing(node: Object) -> tuple[Any, ...]:
    """What of a node counts here; equal tuples mean that no hint can change."""
    labels = objects.labels(node)
    return (
        any(label in labels for label in _EXCLUDED),
        objects.condition(node, "Ready"),
        labels.get(names.ZONE_LABEL),
        mapping(objects.status(node).get("allocatable")).get("cpu"),
    )


def ratios(nodes: Iterable[Object]) -> dict[str, Fraction] | str:
    """The share of each zone in the CPU of all ready workers, or why there is nothing to share by."""
    cpu: dict[str, Fraction] = {}
    for node in nodes:
        excluded, ready, zone, amount = standing(node)
        if excluded or ready != "True":
            continue
        cores = quantity.value_of(amount)
        if not zone or not cores:
            return NO_NODE_INFORMATION
        cpu[zone] = cpu.get(zone, Fraction(0)) + cores
    if len(cpu) < 2:
        return ONE_ZONE if cpu else NO_NODE_INFORMATION
    total = sum(cpu.values())
    return {zone: cores / total for zone, cores in cpu.items()}


def shares(zones: Mapping[str, Fraction] | str, count: int) -> dict[str, Share] | str:
    """How ``count`` ready endpoints are shared among zones, or why they cannot be."""
    if isinstance(zones, str):
        return zones
    if len(zones) > count:
        return TOO_FEW.format(count, len(zones))
    minima = {zone: math.ceil(ratio * count / OVERLOAD) for zone, ratio in zones.items()}
    spare = count - sum(minima.values())
    if spare < 0:
        return OVER_THRESHOLD.format(count, len(zones))
    return {z: Share(minima[z], minima[z] + spare, max(zones[z] * count, Fraction(minima[z]))) for z in zones}


def without_hints(piece: Object) -> Object:
    """The slice with no hint; the slice itself when it has none."""
    endpoints = sequence(piece.get("endpoints"))
    if not any("hints" in mapping(endpoint) for endpoint in endpoints):
        return piece
    return {**piece, "endpoints": [{k: v for k, v in endpoint.items() if k != "hints"} for endpoint in endpoints]}


def has_hints(slices: Iterable[Object]) -> bool:
    """Whether any endpoint of the slices has a hint for a zone."""
    return any(mapping(e.get("hints")).get("forZones") for piece in slices for e in sequence(piece.get("endpoints")))


def hint(zones: Mapping[str, Fraction] | str, changing: list[Object], unchanged: list[Object]) -> Hinted:
    """Slices with hints.

    Args:
        zones: from ``ratios``.
        changing: slices to be written in any case, without hints.
        unchanged: the other slices of the Service and family as they are stored.
    """
    everything = [*changing, *unchanged]
    ready = [e for piece in everything for e in sequence(piece.get("endpoints")) if _ready(e)]
    allocations = shares(zones, len(ready))
    if isinstance(allocations, str):
        return Hinted(tuple(map(without_hints, everything)), allocations)
    counts: Counter[str] = Counter()
    open_: list[int] = list(range(len(changing)))
    for number, piece in enumerate(unchanged, len(changing)):
        kept = _valid(piece, allocations, counts)
        if kept is None:
            open_.append(number)
        else:
            counts += kept
    hinted = [without_hints(piece) if number in open_ else piece for number, piece in enumerate(everything)]
    fresh = [e for number in open_ for e in hinted[number]["endpoints"] if _ready(e)]
    if any(not e.get("zone") for e in fresh):
        return Hinted(tuple(map(without_hints, everything)), NO_ZONE)
    counts.update(e["zone"] for e in fresh)
    if not counts:
        return Hinted(tuple(map(without_hints, everything)), NONE_ALLOCATED)
    moves = _moves(allocations, counts)
    for number in open_:
        hinted[number] = {**hinted[number], "endpoints": [_hinted(e, moves) for e in hinted[number]["endpoints"]]}
    return Hinted(tuple(hinted))


def _ready(endpoint: Endpoint) -> bool:
    return mapping(endpoint.get("conditions")).get("ready") is not False


def _valid(piece: Object, allocations: Mapping[str, Share], counts: Counter[str]) -> Counter[str] | None:
    """The hints of an unchanged slice by zone; None when they are to be made anew."""
    found: Counter[str] = Counter()
    for endpoint in map(mapping, sequence(piece.get("endpoints"))):
        zones = [text(mapping(z).get("name")) for z in sequence(mapping(endpoint.get("hints")).get("forZones"))]
        if not _ready(endpoint):
            if "hints" in endpoint:
                return None
            continue
        if not zones or any(zone not in allocations for zone in zones):
            return None
        found.update(zones)
    if any(counts[zone] + number > allocations[zone].maximum for zone, number in found.items()):
        return None
    return found


def _moves(allocations: Mapping[str, Share], counts: Mapping[str, int]) -> dict[str, Counter[str]]:
    """How many endpoints of each zone serve which other zone, for a fair share."""
    give: dict[str, Fraction] = {}
    take: dict[str, Fraction] = {}
    for zone in sorted({*counts, *allocations}):
        has = Fraction(counts.get(zone, 0))
        wanted = allocations[zone].desired if zone in allocations else Fraction(0)
        if has > wanted:
            give[zone] = has - wanted
        else:
            take[zone] = wanted - has
    moves: dict[str, Counter[str]] = {}
    half = Fraction(1, 2)
    while give and take:
        giver, taker = max(give, key=lambda z: give[z]), max(take, key=lambda z: take[z])
        if min(give[giver], take[taker]) < half or max(give[giver], take[taker]) < 1:
            break
        moves.setdefault(giver, Counter())[taker] += 1
        give[giver] -= 1
        take[taker] -= 1
    return moves


def _hinted(endpoint: dict[str, Any], moves: Mapping[str, Counter[str]]) -> dict[str, Any]:
    """One endpoint with its zone, or with another that its zone has to give to; uses a move up."""
    if not _ready(endpoint):
        return endpoint
    zone = endpoint["zone"]
    waiting = +moves.get(zone, Counter())
    if waiting:
        taker = min(waiting)
        moves[zone][taker] -= 1
        zone = taker
    return {**endpoint, "hints": {"forZones": [{"name": zone}]}}
