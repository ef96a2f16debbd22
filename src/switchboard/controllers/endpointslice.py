"""EndpointSlices: the extension book of each Service that selects pods.

In: Services, Pods, Nodes, EndpointSlices.  Out: slices to create, update, delete.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from switchboard.controllers import _endpoints, _packing, _pods
from switchboard.controllers._contract import (
    Controller,
    Create,
    Delete,
    Operation,
    Plan,
    Update,
    dirty,
    each,
)
from switchboard.controllers._snapshot import Index, Key, Snapshot
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, sequence

RESERVED = (names.SERVICE_NAME_LABEL, names.SLICE_MANAGED_BY_LABEL, names.HEADLESS_LABEL)


def _service_of_slice(piece: Object) -> Iterable[Key]:
    labels = objects.labels(piece)
    if labels.get(names.SLICE_MANAGED_BY_LABEL) != names.SLICE_CONTROLLER:
        return ()
    return ((objects.namespace(piece), labels.get(names.SERVICE_NAME_LABEL, "")),)


SLICES_BY_SERVICE = Index("service", "EndpointSlice", _service_of_slice)


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Bring the slices of each Service up to date that changed, or whose pods, nodes or slices did."""
    related = {
        "Pod": _services_of_pod,
        "Node": _services_of_node,
        "EndpointSlice": lambda _, piece: _service_of_slice(piece),
    }
    return each("Service", dirty(snapshot, "Service", related), lambda key: _reconcile_one(snapshot, key))


def _services_of_pod(snapshot: Snapshot, pod: Object) -> Iterable[Key]:
    before = snapshot.before("Pod", objects.namespace(pod), objects.name(pod))
    current = snapshot.get("Pod", objects.namespace(pod), objects.name(pod))
    if before is not None and current is not None and _endpoints.matters(before) == _endpoints.matters(current):
        return ()
    return _endpoints.services_of_pod(snapshot, pod)


def _services_of_node(snapshot: Snapshot, node: Object) -> Iterable[Key]:
    before = snapshot.before("Node", "", objects.name(node))
    current = snapshot.get("Node", "", objects.name(node))
    if before is not None and current is not None:
        zones = [objects.labels(n).get(names.ZONE_LABEL) for n in (before, current)]
        if zones[0] == zones[1]:
            return ()
    return _endpoints.services_of_node(snapshot, node)


def _reconcile_one(snapshot: Snapshot, key: Key) -> list[Operation]:
    service = snapshot.get("Service", *key)
    if service is None or objects.deleting(service) or not _endpoints.selected(service):
        return []
    slices = snapshot.indexed(SLICES_BY_SERVICE, key)
    mine = [s for s in slices if objects.owned_by(s, service) and not objects.deleting(s)]
    doomed = [s for s in slices if not objects.owned_by(s, service)]
    pods = _endpoints.pods_of_service(snapshot, service)
    trigger = _trigger_time(snapshot, service, pods)
    operations: list[Operation] = []
    types = _endpoints.families(service)
    doomed += [s for s in mine if s.get("addressType") not in types]
    for family in types:
        packing = _packing.pack(
            [s for s in mine if s.get("addressType") == family],
            _endpoints.groups(snapshot, service, pods, family),
            partial(_slice, service, family, trigger),
        )
        operations += [Create(s) for s in packing.create]
        operations += [Update(s) for s in packing.update]
        doomed += packing.delete
    operations += [Delete("EndpointSlice", *_packing.slice_key(s), objects.uid(s)) for s in doomed]
    return operations


def _slice(
    service: Object,
    family: str,
    trigger: str,
    old: Object | None,
    ports: list[_endpoints.Port],
    endpoints: list[_endpoints.Endpoint],
) -> Object:
    """A slice with these contents; the old one itself when only the trigger time would differ."""
    labels = {k: v for k, v in objects.labels(service).items() if k not in RESERVED}
    labels[names.SERVICE_NAME_LABEL] = objects.name(service)
    labels[names.SLICE_MANAGED_BY_LABEL] = names.SLICE_CONTROLLER
    if _endpoints.headless(service):
        labels[names.HEADLESS_LABEL] = ""
    annotations = {names.LAST_CHANGE_TRIGGER_TIME: trigger} if trigger else {}
    if old is None:
        return {
            "apiVersion": f"{names.DISCOVERY}/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "generateName": f"{objects.name(service)}-",
                "namespace": objects.namespace(service),
                "labels": labels,
                **({"annotations": annotations} if annotations else {}),
                "ownerReferences": [objects.owner_reference(service)],
            },
            "addressType": family,
            "endpoints": endpoints,
            "ports": ports,
        }
    same_ports = _endpoints.port_key(sequence(old.get("ports"))) == _endpoints.port_key(ports)
    if same_ports and sequence(old.get("endpoints")) == endpoints and objects.labels(old) == labels:
        return old
    others = {k: v for k, v in objects.annotations(old).items() if k != names.LAST_CHANGE_TRIGGER_TIME}
    metadata = {**objects.metadata(old), "labels": labels, "annotations": {**others, **annotations}}
    return {**old, "metadata": metadata, "endpoints": endpoints, "ports": ports}


def _trigger_time(snapshot: Snapshot, service: Object, pods: Iterable[Object]) -> str:
    """The earliest change being processed: a pod's readiness or the Service's creation; empty if there is none."""
    if snapshot.changed is None:
        return ""
    moments = []
    if ("Service", objects.namespace(service), objects.name(service)) in snapshot.changed:
        moments.append(_pods.created(service))
    for pod in pods:
        if ("Pod", objects.namespace(pod), objects.name(pod)) not in snapshot.changed:
            continue
        condition = next((c for c in objects.conditions(pod) if c.get("type") == "Ready"), {})
        moments.append(objects.text(condition.get("lastTransitionTime")))
    return min((moment for moment in moments if moment), default="")


CONTROLLER = Controller(
    name="endpointslice-controller",
    reads=frozenset({"Service", "Pod", "Node", "EndpointSlice"}),
    writes=frozenset({"EndpointSlice"}),
    reconcile=reconcile,
)
