"""What the API server does with a Service beside defaults and validation: families, addresses, node ports.

In: a Service with its defaults, and the stored one at an update.  Out: the same Service completed in place;
what it was given is taken within the transaction of the request.
Called by ``api.admission`` before validation, as in kube-apiserver, so that a taken address is reported alone.
Specification: https://kubernetes.io/docs/concepts/services-networking/service/
"""

from __future__ import annotations

from typing import Any

from switchboard.api import allocation, errors, families
from switchboard.api.errors import Cause
from switchboard.api.families import NONE, cluster_ips, needs_cluster_ip, node_ports, ports_of
from switchboard.api.store import Store, kind_named
from switchboard.k8s import objects
from switchboard.k8s.objects import Object, spec

KIND = "Service"
# Fields that kube-apiserver does not keep when they hold nothing.
_OMITTED = (
    "ports", "selector", "publishNotReadyAddresses", "clusterIP", "clusterIPs", "externalIPs", "loadBalancerIP",
    "loadBalancerSourceRanges", "externalName", "healthCheckNodePort", "ipFamilies", "externalTrafficPolicy",
)  # fmt: skip
_OMITTED_OF_PORTS = ("name", "nodePort")


def omit_empty(service: Object) -> None:
    """Remove in place what holds nothing, as kube-apiserver's encoding does."""
    for field in _OMITTED:
        if field in spec(service) and not spec(service)[field]:
            del service["spec"][field]
    for port in ports_of(service):
        for field in _OMITTED_OF_PORTS:
            if field in port and not port[field]:
                del port[field]


def finish(service: Object) -> None:
    """What an answer does not show although it may be stored: see ``k8s.defaults.default_on_read``."""
    if families.type_of(service) == "ExternalName":
        spec(service).pop("internalTrafficPolicy", None)
    service["status"] = {"loadBalancer": {}, **objects.status(service)}


def create(store: Store, service: Object) -> None:
    """Complete a new Service; raises ``Invalid`` or, when a range is full, ``InternalError``."""
    families.normalise(service, None)
    _settle_families(store, service, None)
    if needs_cluster_ip(service) and spec(service).get("clusterIP") != NONE:
        _allocate_addresses(store, service, [])
    if families.needs_node_port(service):
        _allocate_new_ports(store, service)
    if families.needs_health_check_port(service):
        _allocate_health_port(store, service)


def update(store: Store, new: Object, old: Object) -> None:
    """Complete a changed Service: keep what it has, take what it needs, give back what it no longer has."""
    families.restore_allocated(new, old)
    families.normalise(new, old)
    _settle_families(store, new, old)
    _update_addresses(store, new, old)
    if families.needs_node_port(new):
        _update_ports(store, new, old)
    if families.needs_health_check_port(new) and not families.needs_health_check_port(old):
        _allocate_health_port(store, new)
    families.drop_by_type(new, old)
    _release_ports(store, new, old)


def delete(store: Store, service: Object) -> None:
    """Give back everything that a Service held, and remove the Endpoints of its name."""
    for address in cluster_ips(service):
        allocation.release_address(store, service, address)
    for port in _held_ports(service):
        allocation.release_port(store, _owner(service), port)
    if store.find("Endpoints", objects.namespace(service), objects.name(service)) is not None:
        store.delete("Endpoints", objects.namespace(service), objects.name(service))


def _owner(service: Object) -> str:
    return objects.key(service)


def _refuse(service: Object, causes: list[Cause]) -> errors.Invalid:
    return errors.invalid(kind_named(KIND), objects.name(service), causes)


def _settle_families(store: Store, new: Object, old: Object | None) -> None:
    causes = families.initialise(new, old, allocation.families(store))
    if causes:
        raise _refuse(new, causes)


def _allocate_addresses(store: Store, service: Object, held: list[str]) -> None:
    """An address for each family; those in ``held`` are the Service's already."""
    wanted = objects.sequence(spec(service).get("ipFamilies"))
    given = cluster_ips(service)
    addresses = []
    for i, family in enumerate(wanted):
        if i < len(given) and given[i] in held:
            addresses.append(given[i])
        elif i < len(given):
            allocation.reserve_address(store, service, given[i], given)
            addresses.append(given[i])
        else:
            addresses.append(allocation.next_address(store, service, family))
    service["spec"]["clusterIP"] = addresses[0]
    service["spec"]["clusterIPs"] = addresses


def _update_addresses(store: Store, new: Object, old: Object) -> None:
    had = [a for a in cluster_ips(old) if a != NONE] if needs_cluster_ip(old) else []
    if not needs_cluster_ip(new):
        for address in had:
            allocation.release_address(store, old, address)
        return
    if spec(new).get("clusterIP") == NONE:
        return
    if not needs_cluster_ip(old) or (had and cluster_ips(new)[:1] == had[:1]):
        # Anything else changes the primary address, which validation refuses.
        _allocate_addresses(store, new, had)
        for address in had[len(cluster_ips(new)) :]:
            allocation.release_address(store, old, address)


def _allocates_ports(service: Object) -> bool:
    return families.type_of(service) == "NodePort" or (
        families.type_of(service) == "LoadBalancer" and spec(service).get("allocateLoadBalancerNodePorts") is not False
    )


def _reserve(store: Store, service: Object, index: int, port: int) -> None:
    why = allocation.reserve_port(store, _owner(service), port)
    if why:
        cause = Cause("FieldValueInvalid", f"Invalid value: {port}: {why}", f"spec.ports[{index}].nodePort")
        raise _refuse(service, [cause])


def _allocate_new_ports(store: Store, service: Object) -> None:
    """At creation, ports of equal number and different protocol share one node port."""
    shared: dict[Any, int] = {}
    ports = ports_of(service)
    for i, port in enumerate(ports):
        asked = port.get("nodePort") or 0
        if not asked and not _allocates_ports(service):
            continue
        number, known = port.get("port"), shared.get(port.get("port"))
        if known is not None and asked in (0, known):
            port["nodePort"] = known
            continue
        if known is None and not asked:
            asked = next((p["nodePort"] for p in ports[i:] if p.get("port") == number and p.get("nodePort")), 0)
        if asked:
            _reserve(store, service, i, asked)
        else:
            asked = allocation.next_port(store, _owner(service))
        port["nodePort"] = asked
        shared.setdefault(number, asked)


def _update_ports(store: Store, new: Object, old: Object) -> None:
    """At an update, a new port gets a number of its own."""
    known = set(node_ports(old)) if families.needs_node_port(old) else set()
    for i, port in enumerate(ports_of(new)):
        asked = port.get("nodePort") or 0
        if not asked:
            if _allocates_ports(new):
                port["nodePort"] = allocation.next_port(store, _owner(new))
                known.add(port["nodePort"])
        elif asked not in known:
            _reserve(store, new, i, asked)
            known.add(asked)


def _allocate_health_port(store: Store, service: Object) -> None:
    asked = spec(service).get("healthCheckNodePort") or 0
    if not asked:
        service["spec"]["healthCheckNodePort"] = allocation.next_port(store, _owner(service))
        return
    why = allocation.reserve_port(store, _owner(service), asked)
    if why:
        # kube-apiserver answers this one with 500, not with 422.
        raise errors.InternalError(f"failed to allocate requested HealthCheck NodePort {asked}: {why}")


def _held_ports(service: Object) -> set[int]:
    held = set(node_ports(service)) if families.needs_node_port(service) else set()
    health = spec(service).get("healthCheckNodePort")
    return held | {health} if families.needs_health_check_port(service) and isinstance(health, int) else held


def _release_ports(store: Store, new: Object, old: Object) -> None:
    for port in _held_ports(old) - _held_ports(new):
        allocation.release_port(store, _owner(old), port)
