"""Endpoints (v1): the older form of EndpointSlices, for those who still read it.

In: Services, Pods, Endpoints.  Out: one Endpoints object for each Service that selects pods.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoints-v1/
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from switchboard.controllers import _endpoints, _pods
from switchboard.controllers._contract import Controller, Create, Operation, Plan, Update, dirty, each
from switchboard.controllers._snapshot import Key, Snapshot
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, sequence

MAX_ADDRESSES = 1000
OURS = (names.ENDPOINTS_MANAGED_BY_LABEL, names.HEADLESS_LABEL)

Subset = dict[str, Any]


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Bring the Endpoints of each Service up to date that changed, or whose pods or Endpoints did."""
    related = {"Pod": _services_of_pod, "Endpoints": _namesake}
    return each("Service", dirty(snapshot, "Service", related), lambda key: _reconcile_one(snapshot, key))


def _services_of_pod(snapshot: Snapshot, pod: Object) -> Iterable[Key]:
    before = snapshot.before("Pod", objects.namespace(pod), objects.name(pod))
    current = snapshot.get("Pod", objects.namespace(pod), objects.name(pod))
    if before is not None and current is not None and _endpoints.matters(before) == _endpoints.matters(current):
        return ()
    return _endpoints.services_of_pod(snapshot, pod)


def _namesake(snapshot: Snapshot, obj: Object) -> Iterable[Key]:
    return ((objects.namespace(obj), objects.name(obj)),)


def _reconcile_one(snapshot: Snapshot, key: Key) -> list[Operation]:
    service = snapshot.get("Service", *key)
    if service is None or objects.deleting(service) or not _endpoints.selected(service):
        return []
    subsets, truncated = subsets_of(snapshot, service)
    labels = {k: v for k, v in objects.labels(service).items() if k not in OURS}
    labels[names.ENDPOINTS_MANAGED_BY_LABEL] = names.ENDPOINTS_CONTROLLER
    if _endpoints.headless(service):
        labels[names.HEADLESS_LABEL] = ""
    old = snapshot.get("Endpoints", *key)
    annotations = {k: v for k, v in objects.annotations(old or {}).items() if k != names.ENDPOINTS_OVER_CAPACITY}
    if truncated:
        annotations[names.ENDPOINTS_OVER_CAPACITY] = "truncated"
    if old is None:
        metadata = {"name": key[1], "namespace": key[0], "labels": labels}
        if annotations:
            metadata["annotations"] = annotations
        created: Object = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
        return [Create({**created, "subsets": subsets} if subsets else created)]
    same = sequence(old.get("subsets")) == subsets and objects.labels(old) == labels
    if same and objects.annotations(old) == annotations:
        return []
    metadata = {**objects.metadata(old), "labels": labels, "annotations": annotations}
    rest = {k: v for k, v in old.items() if k != "subsets"}
    return [Update({**rest, "metadata": metadata, **({"subsets": subsets} if subsets else {})})]


def subsets_of(snapshot: Snapshot, service: Object) -> tuple[list[Subset], bool]:
    """The subsets of a Service in its first family, and whether addresses had to be left out."""
    family = _endpoints.families(service)[0]
    always = objects.spec(service).get("publishNotReadyAddresses") is True
    found: dict[bytes, Subset] = {}
    for pod in _endpoints.pods_of_service(snapshot, service):
        addresses = _endpoints.addresses(pod, family)
        if not addresses or (objects.deleting(pod) and not always):
            continue
        ports = sorted(_endpoints.ports(service, pod), key=lambda p: (p["name"], p["port"], p["protocol"]))
        if not ports and sequence(objects.spec(service).get("ports")):
            # Endpoints cannot say "no port": such a pod has no place here.
            continue
        offered = [{k: v for k, v in port.items() if v != ""} for port in ports]
        subset = found.setdefault(_endpoints.port_key(ports), {"ports": offered})
        place = "addresses" if always or _pods.ready(pod) else "notReadyAddresses"
        subset.setdefault(place, []).append(_address(service, pod, addresses[0]))
    subsets = [_sorted(found[key]) for key in sorted(found)]
    return _truncate(subsets)


def _address(service: Object, pod: Object, ip: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"ip": ip}
    spec = objects.spec(pod)
    if spec.get("hostname") and spec.get("subdomain") == objects.name(service):
        entry["hostname"] = spec["hostname"]
    if _pods.node_of(pod):
        entry["nodeName"] = _pods.node_of(pod)
    entry["targetRef"] = {
        "kind": "Pod",
        "namespace": objects.namespace(pod),
        "name": objects.name(pod),
        "uid": objects.uid(pod),
    }
    return entry


def _sorted(subset: Subset) -> Subset:
    ordered: Subset = {}
    for place in ("addresses", "notReadyAddresses"):
        if place in subset:
            ordered[place] = sorted(subset[place], key=lambda a: (a["ip"], a["targetRef"]["uid"]))
    if subset["ports"]:
        ordered["ports"] = subset["ports"]
    return ordered


def _truncate(subsets: list[Subset]) -> tuple[list[Subset], bool]:
    """At most 1000 addresses: ready ones first, each subset cut in proportion."""
    ready = sum(len(s.get("addresses", ())) for s in subsets)
    unready = sum(len(s.get("notReadyAddresses", ())) for s in subsets)
    if ready + unready <= MAX_ADDRESSES:
        return subsets, False
    room = {"addresses": min(ready, MAX_ADDRESSES)}
    room["notReadyAddresses"] = MAX_ADDRESSES - room["addresses"]
    total = {"addresses": ready, "notReadyAddresses": unready}
    cut = []
    for subset in subsets:
        kept = dict(subset)
        for place, limit in room.items():
            if place in kept:
                kept[place] = kept[place][: len(kept[place]) * limit // total[place]]
                if not kept[place]:
                    del kept[place]
        cut.append(kept)
    return cut, True


CONTROLLER = Controller(
    name="endpoint-controller",
    reads=frozenset({"Service", "Pod", "Endpoints"}),
    writes=frozenset({"Endpoints"}),
    reconcile=reconcile,
)
