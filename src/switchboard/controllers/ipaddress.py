"""Addresses of Services and the IPAddress objects that say whose they are, kept in agreement.

In: Services, IPAddresses, ServiceCIDRs.  Out: IPAddresses to create and delete; events on the Service.
Addresses are allocated with their Service in one transaction; this repairs what was changed past the API server.
Without any ServiceCIDR nobody allocates by them, and nothing is done.
Found by file name and run by the controller loop.
Specification: KEP-1880 (the repair loop of kube-apiserver)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta

from switchboard.api.allocation import Address, address_object
from switchboard.controllers import _pods
from switchboard.controllers._contract import (
    WARNING,
    Controller,
    Create,
    Delete,
    Operation,
    Part,
    Plan,
    RecordEvent,
    dirty,
    each,
)
from switchboard.controllers._snapshot import Index, Key, Snapshot
from switchboard.controllers.servicecidr import networks
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence, text

KIND = "IPAddress"
LEAK = timedelta(seconds=60)  # how long an address may be there before its Service


def addresses(service: Object) -> list[str]:
    """The cluster addresses that a Service holds, as written."""
    spec = objects.spec(service)
    if spec.get("type") == "ExternalName":
        return []
    found = [text(a) for a in sequence(spec.get("clusterIPs"))] or [text(spec.get("clusterIP"))]
    return [address for address in found if address and address != "None"]


def _parent(obj: Object) -> Key:
    parent = mapping(objects.spec(obj).get("parentRef"))
    return text(parent.get("namespace")), text(parent.get("name"))


def _canonical(service: Object) -> list[str]:
    return [str(_parsed(written)) for written in addresses(service)]


BY_PARENT = Index("parent", KIND, lambda obj: (_parent(obj),))
BY_ADDRESS = Index("cluster-address", "Service", _canonical)


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Look at Services and IPAddresses that changed, and at those that they name."""
    if not snapshot.all("ServiceCIDR"):
        return Plan()
    services = dirty(snapshot, "Service", {KIND: _services_of})
    held = dirty(snapshot, KIND, {"Service": _addresses_of})
    if snapshot.changed is not None and any(kind == "ServiceCIDR" for kind, _, _ in snapshot.changed):
        services = sorted({*services, *snapshot.all("Service")})
    first = each("Service", services, lambda key: _service(snapshot, key))
    second = each(KIND, held, lambda key: _address(snapshot, key, now))
    return Plan((*first.parts, *second.parts))


def _services_of(snapshot: Snapshot, obj: Object) -> Iterable[Key]:
    """The Service that an address names, and those that hold it."""
    holders = snapshot.indexed(BY_ADDRESS, objects.name(obj))
    return [_parent(obj), *((objects.namespace(service), objects.name(service)) for service in holders)]


def _addresses_of(snapshot: Snapshot, service: Object) -> Iterable[Key]:
    key = (objects.namespace(service), objects.name(service))
    return [("", objects.name(obj)) for obj in snapshot.indexed(BY_PARENT, key)]


def _parsed(written: str) -> Address | None:
    try:
        return ipaddress.ip_address(written)
    except ValueError:
        return None


def _service(snapshot: Snapshot, key: Key) -> list[Operation]:
    service = snapshot.get("Service", *key)
    if service is None or objects.deleting(service):
        return []
    news = snapshot.changed is not None and ("Service", *key) in snapshot.changed
    operations: list[Operation] = []
    for written in addresses(service):
        reason, message, create = _problem(snapshot, service, written)
        operations += [create] if create else []
        if reason and (create or news):
            operations.append(RecordEvent(service, WARNING, reason, message))
    return operations


def _problem(snapshot: Snapshot, service: Object, written: str) -> tuple[str, str, Create | None]:
    """Reason and message of what is wrong with an address of a Service, and the object that repairs it."""
    address = _parsed(written)
    if address is None:
        return "ClusterIPNotValid", f"Cluster IP {written} is not a valid IP; please recreate Service", None
    shown = f"Cluster IP [IPv{address.version}]: {address}"
    if not any(address in network for cidr in snapshot.all("ServiceCIDR").values() for network in networks(cidr)):
        told = f"{shown} is not within any configured Service CIDR; please recreate service"
        return "ClusterIPOutOfRange", told, None
    held = snapshot.get(KIND, "", str(address))
    if held is None:
        create = Create(address_object(address, service))
        return "ClusterIPNotAllocated", f"{shown} is not allocated; repairing", create
    other = _parent(held)
    holder = snapshot.get("Service", *other)
    if other == (objects.namespace(service), objects.name(service)) or holder is None:
        return "", "", None
    if str(address) in _canonical(holder):
        told = f"{shown} already assigned to service {'/'.join(other)}; please recreate service"
        return "ClusterIPAlreadyAllocated", told, None
    return "", "", None


def _address(snapshot: Snapshot, key: Key, now: datetime) -> Part:
    """An address whose Service does not exist (any more), or does not hold it, is free."""
    identity = (KIND, *key)
    obj = snapshot.get(KIND, *key)
    if obj is None or objects.deleting(obj):
        return Part(identity)
    if objects.labels(obj).get(names.IP_MANAGED_BY_LABEL) != names.IP_ALLOCATOR:
        return Part(identity)
    parent = mapping(objects.spec(obj).get("parentRef"))
    service = snapshot.get("Service", *_parent(obj)) if parent.get("resource") == "services" else None
    shown = f"IPAddress: {objects.name(obj)} for Service {'/'.join(_parent(obj))}"
    delete = Delete(KIND, "", objects.name(obj), objects.uid(obj))
    if service is None:
        born = _pods.moment(_pods.created(obj)) or now
        left = (born + LEAK - now).total_seconds()
        if parent.get("resource") == "services" and left > 0:
            return Part(identity, requeue_after=left)
        told = f"{shown} appears to have leaked: cleaning up"
        return Part(identity, (RecordEvent(obj, WARNING, "IPAddressNotAllocated", told), delete))
    if objects.name(obj) in _canonical(service):
        return Part(identity)
    told = f"{shown} has a wrong reference; cleaning up"
    return Part(identity, (RecordEvent(service, WARNING, "IPAddressWrongReference", told), delete))


CONTROLLER = Controller(
    name="ipallocator-repair-controller",
    reads=frozenset({KIND, "Service", "ServiceCIDR"}),
    writes=frozenset({KIND}),
    reconcile=reconcile,
)
