"""Addresses and node ports: who has which, and the next free one.

In: the store, whose IPAddress objects and port claims say what is taken; ServiceCIDR objects; a random source.
Out: allocations written within the transaction of the request, so that they vanish with it when it fails.
Called by ``api.services``.
Specification: https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/, KEP-1880, KEP-3668.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator

from switchboard.api import errors
from switchboard.api.errors import Cause
from switchboard.api.store import Store, kind_named
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NODE_PORTS = range(30000, 32768)
NODE_PORT_CLAIM = "node-port"


def address_bands(network: Network) -> tuple[range, range]:
    """Offsets of the lower and the upper band of a range; the lower is left to explicit requests while it can be."""
    size = network.num_addresses
    last = size - 1 if network.version == 4 else size
    lower = 0 if size <= 16 else min(max(16, size // 16), 256)
    return range(1, min(1 + lower, last)), range(min(1 + lower, last), last)


def port_bands(ports: range) -> tuple[range, range]:
    """The lower and the upper band of a range of node ports."""
    lower = 0 if len(ports) <= 16 else min(max(16, len(ports) // 32), 128)
    return ports[:lower], ports[lower:]


def _candidates(lower: range, upper: range, randrange: Callable[[int], int], first: bool) -> Iterator[int]:
    """The upper band from a random place on and round, then the lower; in plain order when ``first`` is wanted."""
    if first:
        yield from lower
        yield from upper
        return
    for band in (upper, lower):
        if len(band):
            start = randrange(len(band))
            yield from band[start:]
            yield from band[:start]


def networks(store: Store, family: str) -> list[Network]:
    """The ranges that addresses of a family may come from, by name of their ServiceCIDR."""
    found = []
    for item in store.list("ServiceCIDR")[0]:
        if objects.deleting(item) or objects.condition(item, "Ready") == "False":
            continue
        for text in objects.sequence(objects.spec(item).get("cidrs")):
            network = ipaddress.ip_network(text, strict=False)
            if f"IPv{network.version}" == family:
                found.append(network)
    return found


def families(store: Store) -> list[str]:
    """The cluster's address families, the default one first."""
    found: list[str] = []
    items = sorted(store.list("ServiceCIDR")[0], key=lambda i: (objects.name(i) != "kubernetes", objects.name(i)))
    for item in items:
        for text in objects.sequence(objects.spec(item).get("cidrs")):
            family = f"IPv{ipaddress.ip_network(text, strict=False).version}"
            if family not in found:
                found.append(family)
    return found or ["IPv4"]


def address_object(address: Address, service: Object) -> Object:
    """The IPAddress that says that a Service has an address."""
    return {
        "apiVersion": f"{names.NETWORKING}/v1",
        "kind": "IPAddress",
        "metadata": {
            "name": str(address),
            "labels": {
                names.IP_FAMILY_LABEL: f"IPv{address.version}",
                names.IP_MANAGED_BY_LABEL: names.IP_ALLOCATOR,
            },
        },
        "spec": {
            "parentRef": {
                "group": "",
                "resource": "services",
                "namespace": objects.namespace(service),
                "name": objects.name(service),
            }
        },
    }


def reserve_address(store: Store, service: Object, text: str, value: object) -> None:
    """Take an explicit address; raises ``Invalid`` on ``spec.clusterIPs`` when it is taken or in no range."""
    address = ipaddress.ip_address(text)
    if not any(_usable(network, address) for network in networks(store, f"IPv{address.version}")):
        raise _refused(service, value, f"failed to allocate IP {text}: the provided IP is not in the valid range")
    try:
        store.create(address_object(address, service))
    except errors.AlreadyExists as taken:
        why = f"failed to allocate IP {text}: provided IP is already allocated"
        raise _refused(service, value, why) from taken


def _usable(network: Network, address: Address) -> bool:
    if address.version != network.version or address not in network:
        return False
    offset = int(address) - int(network.network_address)
    return offset > 0 and (network.version == 6 or offset < network.num_addresses - 1)


def next_address(store: Store, service: Object, family: str) -> str:
    """Take a free address of a family; raises ``InternalError`` when every range is full."""
    for network in networks(store, family):
        lower, upper = address_bands(network)
        for offset in _candidates(lower, upper, store.randrange, store.dry_run):
            address = network.network_address + offset
            if store.find("IPAddress", "", str(address)) is None:
                store.create(address_object(address, service))
                return str(address)
    raise errors.InternalError(f"failed to allocate a serviceIP: no {family} address is free")


def release_address(store: Store, service: Object, text: str) -> None:
    """Give an address back, if it is the Service's own."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return
    held = store.find("IPAddress", "", str(address))
    parent = objects.mapping(objects.spec(held or {}).get("parentRef"))
    if (parent.get("namespace"), parent.get("name")) == (objects.namespace(service), objects.name(service)):
        store.delete("IPAddress", "", str(address))


def reserve_port(store: Store, owner: str, port: int, ports: range = NODE_PORTS) -> str:
    """Take an explicit node port; answers why it cannot be, empty when it is taken now."""
    if port not in ports:
        return (
            "provided port is not in the valid range. "
            f"The range of valid ports is {ports.start}-{ports.stop - 1}"
        )
    if store.claimed(NODE_PORT_CLAIM, str(port)) is not None:
        return "provided port is already allocated"
    store.claim(NODE_PORT_CLAIM, str(port), owner)
    return ""


def next_port(store: Store, owner: str, ports: range = NODE_PORTS) -> int:
    """Take a free node port; raises ``InternalError`` when the range is full."""
    lower, upper = port_bands(ports)
    for port in _candidates(lower, upper, store.randrange, store.dry_run):
        if store.claimed(NODE_PORT_CLAIM, str(port)) is None:
            store.claim(NODE_PORT_CLAIM, str(port), owner)
            return port
    raise errors.InternalError("failed to allocate a nodePort: range is full")


def release_port(store: Store, owner: str, port: int) -> None:
    """Give a node port back, if it is the owner's."""
    if store.claimed(NODE_PORT_CLAIM, str(port)) == owner:
        store.disclaim(NODE_PORT_CLAIM, str(port))


def _refused(service: Object, value: object, why: str) -> errors.Invalid:
    cause = Cause("FieldValueInvalid", f"Invalid value: {value}: {why}", "spec.clusterIPs")
    return errors.invalid(kind_named("Service"), objects.name(service), [cause])
