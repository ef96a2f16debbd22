"""EndpointSlices from Endpoints that somebody wrote by hand for a Service without selector.

In: Endpoints, Services, EndpointSlices.  Out: slices to create, update, delete; events about addresses left out.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#endpointslice-mirroring
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from switchboard.controllers import _endpoints, _packing
from switchboard.controllers._contract import (
    WARNING,
    Controller,
    Create,
    Delete,
    Operation,
    Plan,
    RecordEvent,
    Update,
    dirty,
    each,
)
from switchboard.controllers._snapshot import Index, Key, Snapshot
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence, text

KIND = "Endpoints"
MAX_ADDRESSES = 1000  # of a subset, and endpoints in a slice
NOT_COPIED = (names.LAST_APPLIED, names.LAST_CHANGE_TRIGGER_TIME)


class Mirror(msgspec.Struct, frozen=True):
    """What the subsets come to: endpoints by family and port set, and how many addresses were left out.

    ``skipped`` has a number for each subset with too many addresses.
    """

    groups: dict[str, list[_endpoints.Group]]
    invalid: int = 0
    skipped: tuple[int, ...] = ()


def _source_of_slice(piece: Object) -> Iterable[Key]:
    labels = objects.labels(piece)
    if labels.get(names.SLICE_MANAGED_BY_LABEL) != names.SLICE_MIRRORING_CONTROLLER:
        return ()
    return ((objects.namespace(piece), labels.get(names.SERVICE_NAME_LABEL, "")),)


MIRRORED = Index("mirrored", "EndpointSlice", _source_of_slice)


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Mirror the Endpoints that changed, or whose Service or slices did."""
    related = {"Service": _namesake, "EndpointSlice": lambda _, piece: _source_of_slice(piece)}
    keys = set(dirty(snapshot, KIND, related))
    if snapshot.changed is None:
        # Slices whose source went while nobody looked.
        keys.update(key for piece in snapshot.all("EndpointSlice").values() for key in _source_of_slice(piece))
    return each(KIND, sorted(keys), lambda key: _reconcile_one(snapshot, key))


def _namesake(snapshot: Snapshot, obj: Object) -> Iterable[Key]:
    return ((objects.namespace(obj), objects.name(obj)),)


def _mirrored(endpoints: Object | None, service: Object | None) -> bool:
    if endpoints is None or service is None or objects.deleting(endpoints):
        return False
    if objects.labels(endpoints).get(names.SKIP_MIRROR_LABEL) == "true":
        return False
    # Leases of old clients used Endpoints as a lock.
    if names.LEADER_ANNOTATION in objects.annotations(endpoints):
        return False
    return not mapping(objects.spec(service).get("selector"))


def _reconcile_one(snapshot: Snapshot, key: Key) -> list[Operation]:
    endpoints, existing = snapshot.get(KIND, *key), snapshot.indexed(MIRRORED, key)
    existing = [piece for piece in existing if not objects.deleting(piece)]
    if endpoints is None or not _mirrored(endpoints, snapshot.get("Service", *key)):
        return [_delete(piece) for piece in existing]
    mirror = mirror_of(endpoints)
    mine = [piece for piece in existing if objects.owned_by(piece, endpoints)]
    doomed = [piece for piece in existing if piece not in mine or piece.get("addressType") not in mirror.groups]
    operations: list[Operation] = []
    for family, groups in sorted(mirror.groups.items()):
        packing = _packing.pack(
            [piece for piece in mine if piece.get("addressType") == family],
            groups,
            partial(_slice, endpoints, family),
            MAX_ADDRESSES,
        )
        operations += [Create(piece) for piece in packing.create]
        operations += [Update(piece) for piece in packing.update]
        doomed += packing.delete
    operations += [_delete(piece) for piece in doomed]
    if operations or (snapshot.changed is not None and (KIND, *key) in snapshot.changed):
        operations += _events(endpoints, mirror)
    return operations


def _delete(piece: Object) -> Delete:
    return Delete("EndpointSlice", objects.namespace(piece), objects.name(piece), objects.uid(piece))


def mirror_of(endpoints: Object) -> Mirror:
    """The endpoints that the subsets of an Endpoints object stand for; an address counts once for each port set."""
    found: dict[tuple[str, bytes], tuple[list[_endpoints.Port], dict[str, _endpoints.Endpoint]]] = {}
    all_invalid, skipped = 0, []
    for subset in map(mapping, sequence(endpoints.get("subsets"))):
        ports = [_port(mapping(port)) for port in sequence(subset.get("ports"))]
        marked = [(mapping(a), ready) for place, ready in _PLACES for a in sequence(subset.get(place))]
        taken = invalid = 0
        for address, ready in marked:
            ip = _canonical(address.get("ip"))
            if taken == MAX_ADDRESSES:
                break
            if ip is None:
                invalid += 1
                continue
            taken += 1
            entries = found.setdefault((f"IPv{ip.version}", _endpoints.port_key(ports)), (ports, {}))[1]
            entries.setdefault(str(ip), _endpoint(address, str(ip), ready))
        all_invalid += invalid
        skipped += [len(marked) - taken - invalid] if len(marked) > taken + invalid else []
    groups: dict[str, list[_endpoints.Group]] = {}
    for family, port_key in sorted(found):
        offered, entries = found[(family, port_key)]
        groups.setdefault(family, []).append(_endpoints.Group(offered, list(entries.values())))
    return Mirror(groups, all_invalid, tuple(skipped))


_PLACES = (("addresses", True), ("notReadyAddresses", False))


def _canonical(ip: object) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text(ip))
    except ValueError:
        return None


def _port(port: dict[str, Any]) -> _endpoints.Port:
    entry: _endpoints.Port = {
        "name": text(port.get("name")),
        "port": port.get("port"),
        "protocol": text(port.get("protocol")) or "TCP",
    }
    if port.get("appProtocol"):
        entry["appProtocol"] = port["appProtocol"]
    return entry


def _endpoint(address: dict[str, Any], ip: str, ready: bool) -> _endpoints.Endpoint:
    copied = {field: address[field] for field in ("hostname", "nodeName", "targetRef") if address.get(field)}
    return {"addresses": [ip], "conditions": {"ready": ready}, **copied}


def _slice(
    source: Object,
    family: str,
    old: Object | None,
    ports: list[_endpoints.Port],
    endpoints: list[_endpoints.Endpoint],
) -> Object:
    """A slice with these contents; the old one itself when nothing differs."""
    labels = {
        **objects.labels(source),
        names.SERVICE_NAME_LABEL: objects.name(source),
        names.SLICE_MANAGED_BY_LABEL: names.SLICE_MIRRORING_CONTROLLER,
    }
    annotations = {k: v for k, v in objects.annotations(source).items() if k not in NOT_COPIED}
    if old is None:
        meta: dict[str, Any] = {
            "generateName": f"{objects.name(source)}-",
            "namespace": objects.namespace(source),
            "labels": labels,
            "ownerReferences": [objects.owner_reference(source)],
        }
        created: Object = {
            "apiVersion": f"{names.DISCOVERY}/v1",
            "kind": "EndpointSlice",
            "metadata": {**meta, "annotations": annotations} if annotations else meta,
        }
        return {**created, "addressType": family, "endpoints": endpoints, "ports": ports}
    same_ports = _endpoints.port_key(map(mapping, sequence(old.get("ports")))) == _endpoints.port_key(ports)
    same_contents = same_ports and sequence(old.get("endpoints")) == endpoints
    if same_contents and objects.labels(old) == labels and objects.annotations(old) == annotations:
        return old
    metadata = {**objects.metadata(old), "labels": labels, "annotations": annotations}
    return {**old, "metadata": metadata, "endpoints": endpoints, "ports": ports}


def _events(endpoints: Object, mirror: Mirror) -> list[Operation]:
    told: list[Operation] = []
    for skipped in mirror.skipped:
        message = (
            f"A max of {MAX_ADDRESSES} addresses can be mirrored to EndpointSlices per Endpoints subset. "
            f"{skipped} addresses were skipped"
        )
        told.append(RecordEvent(endpoints, WARNING, "TooManyAddressesToMirror", message))
    if mirror.invalid:
        message = f"Skipped {mirror.invalid} invalid IP addresses when mirroring to EndpointSlices"
        told.append(RecordEvent(endpoints, WARNING, "InvalidIPAddress", message))
    return told


CONTROLLER = Controller(
    name="endpointslicemirroring-controller",
    reads=frozenset({KIND, "Service", "EndpointSlice"}),
    writes=frozenset({"EndpointSlice"}),
    reconcile=reconcile,
)
