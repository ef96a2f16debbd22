"""EndpointSlices: the extension book of each Service that selects pods.

In: Services, Pods, Nodes, EndpointSlices.  Out: slices to create, update, delete; events about hints by CPU.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from fractions import Fraction
from functools import cache, partial

from switchboard.controllers import _endpoints, _packing, _pods, _topology
from switchboard.controllers._contract import (
    NORMAL,
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
from switchboard.k8s.objects import Object, sequence

RESERVED = (names.SERVICE_NAME_LABEL, names.SLICE_MANAGED_BY_LABEL, names.HEADLESS_LABEL)


def _service_of_slice(piece: Object) -> Iterable[Key]:
    labels = objects.labels(piece)
    if labels.get(names.SLICE_MANAGED_BY_LABEL) != names.SLICE_CONTROLLER:
        return ()
    return ((objects.namespace(piece), labels.get(names.SERVICE_NAME_LABEL, "")),)


SLICES_BY_SERVICE = Index("service", "EndpointSlice", _service_of_slice)
AUTO = Index("topology-auto", "Service", lambda service: (True,) if _topology.enabled(service) else ())


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Bring the slices of each Service up to date that changed, or whose pods, nodes or slices did."""
    related = {
        "Pod": _services_of_pod,
        "Node": _services_of_node,
        "EndpointSlice": lambda _, piece: _service_of_slice(piece),
    }

    @cache
    def zones() -> Mapping[str, Fraction] | str:
        return _topology.ratios(snapshot.all("Node").values())

    return each("Service", dirty(snapshot, "Service", related), lambda key: _reconcile_one(snapshot, key, zones))


def _services_of_pod(snapshot: Snapshot, pod: Object) -> Iterable[Key]:
    before = snapshot.before("Pod", objects.namespace(pod), objects.name(pod))
    current = snapshot.get("Pod", objects.namespace(pod), objects.name(pod))
    if before is not None and current is not None and _endpoints.matters(before) == _endpoints.matters(current):
        return ()
    return _endpoints.services_of_pod(snapshot, pod)


def _services_of_node(snapshot: Snapshot, node: Object) -> Iterable[Key]:
    before = snapshot.before("Node", "", objects.name(node))
    current = snapshot.get("Node", "", objects.name(node))
    standings = [None if n is None else _topology.standing(n) for n in (before, current)]
    if standings[0] == standings[1]:
        return ()
    # Every node counts in the shares of the zones; what still holds is kept.
    auto = [(objects.namespace(s), objects.name(s)) for s in snapshot.indexed(AUTO, True)]
    if before is not None and current is not None:
        zones = [objects.labels(n).get(names.ZONE_LABEL) for n in (before, current)]
        if zones[0] == zones[1]:
            return auto
    return [*auto, *_endpoints.services_of_node(snapshot, node)]


def _reconcile_one(
    snapshot: Snapshot, key: Key, zones: Callable[[], Mapping[str, Fraction] | str]
) -> list[Operation]:
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
        existing = [s for s in mine if s.get("addressType") == family]
        auto = _topology.enabled(service)
        packing = _packing.pack(
            [_topology.without_hints(s) for s in existing] if auto else existing,
            _endpoints.groups(snapshot, service, pods, family),
            partial(_slice, service, family, trigger),
        )
        refusal = _add_hints(packing, existing, zones()) if auto else ""
        operations += [Create(s) for s in packing.create]
        operations += [Update(s) for s in packing.update]
        doomed += packing.delete
        operations += _tell(snapshot, service, family, existing, packing, refusal)
    operations += [Delete("EndpointSlice", *_packing.slice_key(s), objects.uid(s)) for s in doomed]
    return operations


def _add_hints(
    packing: _packing.Packing, existing: list[Object], zones: Mapping[str, Fraction] | str
) -> str:
    """Hints by CPU for what is written and what is not; a slice whose hints no longer hold is written too."""
    written = {objects.name(s) for s in (*packing.update, *packing.delete)}
    unchanged = [s for s in existing if objects.name(s) not in written]
    hinted = _topology.hint(zones, [*packing.create, *packing.update], unchanged)
    created, updated = len(packing.create), len(packing.create) + len(packing.update)
    changed = [new for new, old in zip(hinted.slices[updated:], unchanged, strict=True) if new != old]
    packing.create, packing.update = (
        list(hinted.slices[:created]),
        [*hinted.slices[created:updated], *changed],
    )
    return hinted.refusal


def _tell(
    snapshot: Snapshot,
    service: Object,
    family: str,
    existing: list[Object],
    packing: _packing.Packing,
    refusal: str,
) -> list[Operation]:
    """Events about hints by CPU: when they begin, end, or cannot be; not at every look."""
    key = ("Service", objects.namespace(service), objects.name(service))
    news = snapshot.changed is not None and key in snapshot.changed
    before = snapshot.before(*key) if news else service
    auto, was_auto = _topology.enabled(service), before is not None and _topology.enabled(before)
    told: tuple[str, str, str] | None = None
    writes = bool(packing.create or packing.update or packing.delete)
    if auto and refusal and (news or writes):
        told = (WARNING, _topology.DISABLED, refusal)
    elif auto and not refusal and writes and not (was_auto and _topology.has_hints(existing)):
        told = (NORMAL, _topology.ENABLED, _topology.HAS_BEEN_ENABLED)
    elif was_auto and not auto and _topology.has_hints(existing):
        told = (WARNING, _topology.DISABLED, _topology.HAS_BEEN_DISABLED)
    return [RecordEvent(service, told[0], told[1], f"{told[2]}, addressType: {family}")] if told else []


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
