"""Services, EndpointSlices, Pods and Namespaces become what DNS answers from.

In go objects by kind; out come ``Names``.  Faults are told by the parts that build the same objects for traffic: what
is unusable has no name here.
Called by ``view.build``.
Specification: DNS for Services and Pods 1.1.0; EndpointSlice discovery.k8s.io/v1: a nil ready condition means ready.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from switchboard.k8s import names as k8s_names
from switchboard.k8s.objects import Object, key, labels, mapping, name, namespace, sequence, spec, status, text, whole
from switchboard.view.build.addresses import canonical_address
from switchboard.view.name import EndpointGroup, NamedEndpoint, NamedPort, NamedService, Names, PodAddresses

# Pods whose addresses no longer count, as CoreDNS' watch leaves them out.
_GONE = ("Succeeded", "Failed", "Unknown")


def build(objects: Mapping[str, Sequence[Object]]) -> Names:
    """Reads kinds ``Service``, ``EndpointSlice``, ``Pod`` and ``Namespace``."""
    groups = _groups(_of(objects, "EndpointSlice"))
    services = {key(o): _service(o, groups.get(key(o), ())) for o in reversed(_of(objects, "Service"))}
    for owner in groups.keys() - services.keys():
        space, _, own = owner.partition("/")
        services[owner] = NamedService(namespace=space, name=own, exists=False, groups=tuple(groups[owner]))
    return Names(
        services=tuple(services[k] for k in sorted(services)),
        namespaces=tuple(sorted({name(o) for o in _of(objects, "Namespace")})),
        pods=_pods(_of(objects, "Pod")),
    )


def _of(objects: Mapping[str, Sequence[Object]], kind: str) -> list[Object]:
    return sorted((o for o in objects.get(kind, ()) if isinstance(o, dict) and name(o)), key=key)


def _groups(slices: Iterable[Object]) -> dict[str, list[EndpointGroup]]:
    """By the ``namespace/name`` of the Service that the slice's label names, in order of the slices' names."""
    found: dict[str, list[EndpointGroup]] = defaultdict(list)
    for each in slices:
        owner = text(labels(each).get(k8s_names.SERVICE_NAME_LABEL))
        endpoints = tuple(e for entry in sequence(each.get("endpoints")) for e in _endpoint(mapping(entry)))
        if owner and endpoints and each.get("addressType") != "FQDN":
            group = EndpointGroup(endpoints, _ports(each.get("ports")))
            found[f"{namespace(each)}/{owner}"].append(group)
    return found


def _endpoint(entry: Object) -> Iterable[NamedEndpoint]:
    """The endpoint if it is ready and has an address."""
    addresses = _addresses(sequence(entry.get("addresses")))
    if addresses and mapping(entry.get("conditions")).get("ready") is not False:
        target = mapping(entry.get("targetRef"))
        pod = text(target.get("name")) if target.get("kind") == "Pod" else ""
        yield NamedEndpoint(addresses, text(entry.get("hostname")), pod)


def _addresses(values: Iterable[object]) -> tuple[str, ...]:
    found = (canonical_address(value) for value in values if isinstance(value, str))
    return tuple(dict.fromkeys(address for address in found if address))


def _ports(values: object) -> tuple[NamedPort, ...]:
    ports = (mapping(port) for port in sequence(values))
    return tuple(
        NamedPort(text(p.get("name")), text(p.get("protocol")) or "TCP", whole(p.get("port")))
        for p in ports
        if 0 < whole(p.get("port")) < 65536
    )


def _service(service: Object, groups: Iterable[EndpointGroup]) -> NamedService:
    body = spec(service)
    external = text(body.get("externalName")) if body.get("type") == "ExternalName" else ""
    given = sequence(body.get("clusterIPs")) or [body.get("clusterIP")]
    headless = not external and "None" in (body.get("clusterIP"), *given[:1])
    return NamedService(
        namespace=namespace(service),
        name=name(service),
        headless=headless,
        external_name=external,
        addresses=() if external or headless else _addresses(given),
        ports=_ports(body.get("ports")),
        groups=tuple(groups),
    )


def _pods(pods: Iterable[Object]) -> tuple[PodAddresses, ...]:
    found: dict[str, set[str]] = defaultdict(set)
    for pod in pods:
        body = status(pod)
        if body.get("phase") not in _GONE:
            given = [mapping(ip).get("ip") for ip in sequence(body.get("podIPs"))] or [body.get("podIP")]
            found[namespace(pod)].update(_addresses(given))
    return tuple(PodAddresses(space, tuple(sorted(found[space]))) for space in sorted(found) if found[space])
