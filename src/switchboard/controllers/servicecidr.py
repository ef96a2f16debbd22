"""ServiceCIDRs: ready for allocation, and kept until no address depends on them.

In: ServiceCIDRs and IPAddresses.  Out: the finalizer, the condition Ready.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/tasks/network/extend-service-ip-ranges/ (KEP-1880)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from switchboard.api.allocation import Network
from switchboard.api.metadata import timestamp
from switchboard.controllers import _pods
from switchboard.controllers._contract import Controller, Operation, Part, Plan, Update, UpdateStatus, dirty, each
from switchboard.controllers._snapshot import Key, Snapshot
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, sequence, text

KIND = "ServiceCIDR"
GRACE = timedelta(seconds=10)  # within which an allocation that was under way when the range went becomes visible
READY = "Kubernetes Service CIDR is ready"
IN_USE = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Look at the ranges that changed; at all of them when an address went or another range came or went."""
    keys = dirty(snapshot, KIND, {"IPAddress": _leaving, KIND: _leaving})
    return each(KIND, keys, lambda key: _reconcile_one(snapshot, key, now))


def _leaving(snapshot: Snapshot, obj: Object) -> Iterable[Key]:
    """Ranges that wait to be let go; ranges are few."""
    return [key for key, found in snapshot.all(KIND).items() if objects.deleting(found)]


def networks(service_cidr: Object) -> list[Network]:
    """The ranges of one ServiceCIDR, those that can be read."""
    found = []
    for written in sequence(objects.spec(service_cidr).get("cidrs")):
        try:
            found.append(ipaddress.ip_network(text(written), strict=False))
        except ValueError:
            continue
    return found


def _reconcile_one(snapshot: Snapshot, key: Key, now: datetime) -> Part:
    identity = (KIND, *key)
    service_cidr = snapshot.get(KIND, *key)
    if service_cidr is None:
        return Part(identity)
    held = names.SERVICE_CIDR_FINALIZER in objects.finalizers(service_cidr)
    if not objects.deleting(service_cidr):
        operations: list[Operation] = []
        if not held:
            finalizers = [*objects.finalizers(service_cidr), names.SERVICE_CIDR_FINALIZER]
            operations.append(Update(_with_finalizers(service_cidr, finalizers)))
        return Part(identity, (*operations, *_condition(service_cidr, "True", "", READY, now)))
    if not held:
        return Part(identity)
    if _in_use(snapshot, service_cidr):
        return Part(identity, tuple(_condition(service_cidr, "False", "Terminating", IN_USE, now)))
    since = _pods.moment(objects.metadata(service_cidr).get("deletionTimestamp")) or now
    left = (since + GRACE - now).total_seconds()
    if left > 0:
        return Part(identity, requeue_after=left)
    kept = [f for f in objects.finalizers(service_cidr) if f != names.SERVICE_CIDR_FINALIZER]
    return Part(identity, (Update(_with_finalizers(service_cidr, kept)),))


def _with_finalizers(service_cidr: Object, finalizers: list[str]) -> Object:
    return {**service_cidr, "metadata": {**objects.metadata(service_cidr), "finalizers": finalizers}}


def _in_use(snapshot: Snapshot, service_cidr: Object) -> bool:
    """Whether an address lies in this range and in no other that stays."""
    others = [
        network
        for other in snapshot.all(KIND).values()
        if objects.name(other) != objects.name(service_cidr) and not objects.deleting(other)
        for network in networks(other)
    ]
    mine = networks(service_cidr)
    for obj in snapshot.all("IPAddress").values():
        if objects.labels(obj).get(names.IP_MANAGED_BY_LABEL) != names.IP_ALLOCATOR:
            continue
        try:
            address = ipaddress.ip_address(objects.name(obj))
        except ValueError:
            continue
        if any(address in network for network in mine) and not any(address in network for network in others):
            return True
    return False


def _condition(service_cidr: Object, value: str, reason: str, message: str, now: datetime) -> list[Operation]:
    old = next((c for c in objects.conditions(service_cidr) if c.get("type") == "Ready"), {})
    same = old.get("status") == value
    condition: dict[str, Any] = {
        "type": "Ready",
        "status": value,
        "lastTransitionTime": old.get("lastTransitionTime") if same else timestamp(now),
        "reason": reason,
        "message": message,
    }
    if condition == old:
        return []
    others = [c for c in objects.conditions(service_cidr) if c.get("type") != "Ready"]
    status = {**objects.status(service_cidr), "conditions": [*others, condition]}
    return [UpdateStatus({**service_cidr, "status": status})]


CONTROLLER = Controller(
    name="service-cidr-controller",
    reads=frozenset({KIND, "IPAddress"}),
    writes=frozenset({KIND}),
    reconcile=reconcile,
)
