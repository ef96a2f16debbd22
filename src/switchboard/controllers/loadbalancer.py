"""Load balancer addresses: what a cloud gives a Service of type LoadBalancer.

In: Services, and the address pools of the loop's settings (``load-balancer-pool``: ranges or addresses as text).
Out: the clean-up finalizer, the address in the status, events.  Which nodes announce it is computed elsewhere.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from switchboard.controllers._contract import (
    NORMAL,
    WARNING,
    Controller,
    Operation,
    Plan,
    RecordEvent,
    Update,
    UpdateStatus,
    dirty,
    each,
)
from switchboard.controllers._snapshot import Index, Key, Snapshot
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence, text

POOLS = "load-balancer-pool"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _published(service: Object) -> list[str]:
    ingress = sequence(mapping(objects.status(service).get("loadBalancer")).get("ingress"))
    return [text(mapping(entry).get("ip")) for entry in ingress if mapping(entry).get("ip")]


def _ours(service: Object) -> bool:
    spec = objects.spec(service)
    return spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass")


def _values(service: Object) -> Iterable[tuple[str, str]]:
    """Each address in use, and all Services still waiting for one."""
    if not _ours(service) or objects.deleting(service):
        return ()
    return [("address", address) for address in _published(service)] or [("waiting", "")]


ADDRESSES = Index("load-balancer", "Service", _values)


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Give each Service that wants one an address, take it back from those that no longer do."""
    pools = [ipaddress.ip_network(pool, strict=False) for pool in snapshot.settings.get(POOLS, ())]
    keys = set(dirty(snapshot, "Service"))
    if any(_freed(snapshot, key) for key in keys):
        # What became free may be what another Service waits for.
        waiting = snapshot.indexed(ADDRESSES, ("waiting", ""))
        keys |= {(objects.namespace(service), objects.name(service)) for service in waiting}
    given: dict[str, Key] = {}
    return each("Service", sorted(keys), lambda key: _reconcile_one(snapshot, key, pools, given))


def _freed(snapshot: Snapshot, key: Key) -> bool:
    before, current = snapshot.before("Service", *key), snapshot.get("Service", *key)
    return before is not None and bool(set(_published(before)) - set(_published(current or {})))


def _reconcile_one(
    snapshot: Snapshot, key: Key, pools: list[Network], given: dict[str, Key]
) -> list[Operation]:
    service = snapshot.get("Service", *key)
    if service is None:
        return []
    if _ours(service) and not objects.deleting(service):
        return _ensure(snapshot, service, pools, given)
    if names.LOAD_BALANCER_CLEANUP in objects.finalizers(service):
        return _clean_up(service)
    return []


def _clean_up(service: Object) -> list[Operation]:
    """Nothing lies outside the cluster, so that the status and the finalizer are all there is to remove."""
    kept = [f for f in objects.finalizers(service) if f != names.LOAD_BALANCER_CLEANUP]
    operations: list[Operation] = [RecordEvent(service, NORMAL, "DeletingLoadBalancer", "Deleting load balancer")]
    if _published(service):
        operations.append(UpdateStatus({**service, "status": {**objects.status(service), "loadBalancer": {}}}))
    return [
        *operations,
        Update({**service, "metadata": {**objects.metadata(service), "finalizers": kept}}),
        RecordEvent(service, NORMAL, "DeletedLoadBalancer", "Deleted load balancer"),
    ]


def _ensure(
    snapshot: Snapshot, service: Object, pools: list[Network], given: dict[str, Key]
) -> list[Operation]:
    operations: list[Operation] = []
    if names.LOAD_BALANCER_CLEANUP not in objects.finalizers(service):
        finalizers = [*objects.finalizers(service), names.LOAD_BALANCER_CLEANUP]
        operations += [
            RecordEvent(service, NORMAL, "EnsuringLoadBalancer", "Ensuring load balancer"),
            Update({**service, "metadata": {**objects.metadata(service), "finalizers": finalizers}}),
        ]
    addresses, problem = _choose(snapshot, service, pools, given)
    if problem:
        operations.append(RecordEvent(service, WARNING, "SyncLoadBalancerFailed", problem))
        return operations if operations[:-1] or _news(snapshot, service) else []
    wanted = {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"} for address in addresses]}}
    if {k: v for k, v in objects.status(service).items() if k == "loadBalancer"} != wanted:
        told = "EnsuredLoadBalancer" if not _published(service) else "UpdatedLoadBalancer"
        operations += [
            UpdateStatus({**service, "status": {**objects.status(service), **wanted}}),
            RecordEvent(service, NORMAL, told, f"{told[:7]} load balancer at {', '.join(addresses)}"),
        ]
    return operations


def _news(snapshot: Snapshot, service: Object) -> bool:
    """Whether the Service itself changed: a failure is told once for each change, not at every look."""
    key = ("Service", objects.namespace(service), objects.name(service))
    return snapshot.changed is not None and key in snapshot.changed


def _families(service: Object) -> list[str]:
    return [f for f in sequence(objects.spec(service).get("ipFamilies")) if isinstance(f, str)] or ["IPv4"]


def _choose(
    snapshot: Snapshot, service: Object, pools: list[Network], given: dict[str, Key]
) -> tuple[list[str], str]:
    """An address for each family: the one asked for, the one it has, or the first free one; or why there is none."""
    key = (objects.namespace(service), objects.name(service))
    asked = text(objects.spec(service).get("loadBalancerIP"))
    addresses = []
    for family in _families(service):
        candidates: Iterable[str]
        if asked and _family(asked) == family:
            if not _allowed(asked, pools):
                return [], f"The requested address {asked} is in no address pool."
            candidates = [asked]
        else:
            kept = [a for a in _published(service) if _family(a) == family and _allowed(a, pools)]
            candidates = (*kept, *_all(pools, family)) if kept else _all(pools, family)
        address = next((a for a in candidates if _free(snapshot, key, given, a)), "")
        if address:
            given[address] = key
            addresses.append(address)
        elif asked and _family(asked) == family:
            return [], f"The requested address {asked} belongs to another Service."
    if addresses:
        return addresses, ""
    if asked and not _family(asked):
        return [], f"The requested address {asked!r} is no address."
    if not any(f"IPv{pool.version}" in _families(service) for pool in pools):
        return [], f"There is no address pool for {' or '.join(_families(service))}."
    return [], "No address of the pools is free."


def _family(address: str) -> str:
    try:
        return f"IPv{ipaddress.ip_address(address).version}"
    except ValueError:
        return ""


def _allowed(address: str, pools: list[Network]) -> bool:
    parsed = ipaddress.ip_address(address)
    return any(parsed.version == pool.version and parsed in pool for pool in pools)


def _all(pools: list[Network], family: str) -> Iterator[str]:
    """Every usable address of the pools in order; a range leaves out its network and broadcast addresses."""
    for pool in pools:
        if f"IPv{pool.version}" == family:
            yield from (str(address) for address in pool.hosts())


def _free(snapshot: Snapshot, key: Key, given: Mapping[str, Key], address: str) -> bool:
    if given.get(address, key) != key:
        return False
    holders = snapshot.indexed(ADDRESSES, ("address", address))
    return all((objects.namespace(other), objects.name(other)) == key for other in holders)


CONTROLLER = Controller(
    name="service-controller",
    reads=frozenset({"Service"}),
    writes=frozenset({"Service"}),
    reconcile=reconcile,
)
