"""Services and EndpointSlices become service ports with their endpoints.

In go objects by kind; out come ``ServicePort`` facts, sorted by key, and findings about what could not be honoured.
Called by ``view.build``.
Specification: K1 to K18 of the behaviour list (kube-proxy 1.36), Service v1, EndpointSlice discovery.k8s.io/v1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from switchboard.base.findings import Finding, Severity
from switchboard.k8s import names
from switchboard.k8s.objects import Object, key, labels, mapping, name, namespace, sequence, spec, status, text
from switchboard.view.build.addresses import canonical_address, canonical_range
from switchboard.view.choice import family_of
from switchboard.view.service import Endpoint, ServicePort

PROTOCOLS = frozenset({"TCP", "UDP", "SCTP"})
DEFAULT_AFFINITY_SECONDS = 10800
_HIGHEST_PORT = 65535
_FAMILIES = {"IPv4": 4, "IPv6": 6}
_T = TypeVar("_T")


def build(objects: Mapping[str, Sequence[Object]]) -> tuple[tuple[ServicePort, ...], tuple[Finding, ...]]:
    """The ports of every Service, whatever serves them; reads kinds ``Service`` and ``EndpointSlice``."""
    findings: list[Finding] = []
    slices = _slices_by_owner(objects.get("EndpointSlice", ()))
    ports: dict[str, ServicePort] = {}
    for service in sorted((o for o in objects.get("Service", ()) if isinstance(o, dict)), key=key):
        for port in _ports_of(service, slices, findings):
            if port.key in ports:
                findings.append(
                    _finding(service, "spec.ports", f"The port {port.key} is there twice; the first counts.")
                )
            ports.setdefault(port.key, port)
    return tuple(ports[k] for k in sorted(ports)), tuple(findings)


def _finding(obj: Object, field: str, message: str, severity: Severity = Severity.ERROR) -> Finding:
    kind = text(obj.get("kind")) or "Service"
    return Finding(
        reference="unusable-field", message=message, severity=severity, object=f"{kind} {key(obj)}", field=field
    )


def _slices_by_owner(slices: Sequence[Object]) -> dict[str, list[Object]]:
    """EndpointSlices by the ``namespace/name`` of the Service that their label names (K10), in order of their names."""
    owned = defaultdict(list)
    for found in sorted((s for s in slices if isinstance(s, dict)), key=key):
        if owner := text(labels(found).get(names.SERVICE_NAME_LABEL)):
            owned[f"{namespace(found)}/{owner}"].append(found)
    return owned


def _ports_of(service: Object, slices: Mapping[str, list[Object]], findings: list[Finding]) -> Iterator[ServicePort]:
    """The usable ports of one Service."""
    if not name(service):
        findings.append(_finding(service, "metadata.name", "A Service without a name is left out."))
        return
    body = spec(service)
    foreign = names.PROXY_NAME_LABEL in labels(service)
    kind = text(body.get("type")) or "ClusterIP"
    headless = body.get("clusterIP") == "None" and kind != "ExternalName"
    own = [s for s in slices.get(key(service), ()) if _counts(s, headless=headless, foreign=foreign)]
    common: dict[str, Any] = {
        "namespace": namespace(service),
        "name": name(service),
        "type": kind,
        "headless": headless,
        "proxy_name": text(labels(service).get(names.PROXY_NAME_LABEL)) or ("?" if foreign else ""),
        "internal_local": body.get("internalTrafficPolicy") == "Local",
        "external_local": body.get("externalTrafficPolicy") == "Local",
        "affinity_seconds": _affinity(body),
        "health_check_node_port": _number(body.get("healthCheckNodePort")),
        "cluster_ips": () if headless or kind == "ExternalName" else _cluster_ips(service, findings),
        "external_ips": _addresses(service, "spec.externalIPs", sequence(body.get("externalIPs")), findings),
        "load_balancer_ips": _balancer_ips(service, kind, findings),
        "source_ranges": _source_ranges(service, findings),
    }
    for index, port in enumerate(sequence(body.get("ports"))):
        number, protocol = _number(mapping(port).get("port")), text(mapping(port).get("protocol")) or "TCP"
        if not number or protocol not in PROTOCOLS:
            findings.append(_finding(service, f"spec.ports[{index}]", "The port has no usable number or protocol."))
            continue
        port_name = text(mapping(port).get("name"))
        yield ServicePort(
            **common,
            port_name=port_name,
            protocol=protocol,
            port=number,
            node_port=_number(port.get("nodePort")),
            app_protocol=text(port.get("appProtocol")),
            endpoints=_endpoints(own, port_name, protocol, findings),
        )


def _number(value: object) -> int:
    """A port number, 0 when it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _HIGHEST_PORT else 0


def _counts(endpoint_slice: Object, *, headless: bool, foreign: bool) -> bool:
    """Whether a slice speaks for its Service: slices labelled for another way of serving are ignored (K2)."""
    marked = labels(endpoint_slice)
    return (headless or names.HEADLESS_LABEL not in marked) and (foreign or names.PROXY_NAME_LABEL not in marked)


def _affinity(body: Mapping[str, Any]) -> int:
    if body.get("sessionAffinity") != "ClientIP":
        return 0
    config = mapping(mapping(body.get("sessionAffinityConfig")).get("clientIP"))
    wanted = config.get("timeoutSeconds")
    return (
        wanted if isinstance(wanted, int) and not isinstance(wanted, bool) and wanted > 0 else DEFAULT_AFFINITY_SECONDS
    )


def _cluster_ips(service: Object, findings: list[Finding]) -> tuple[str, ...]:
    """One canonical address per family, in the order in which the Service has them (K4)."""
    body = spec(service)
    given = sequence(body.get("clusterIPs")) or [body.get("clusterIP")]
    addresses = _addresses(service, "spec.clusterIPs", [a for a in given if a], findings)
    first = {family_of(a): a for a in reversed(addresses)}
    return tuple(a for a in addresses if first[family_of(a)] == a)


def _addresses(service: Object, field: str, values: Iterable[object], findings: list[Finding]) -> tuple[str, ...]:
    """Canonical addresses without repetitions (K14); those that are none become findings."""
    addresses: dict[str, None] = {}
    for index, value in enumerate(values):
        address = canonical_address(value) if isinstance(value, str) else None
        if address is None:
            findings.append(_finding(service, f"{field}[{index}]", f"{value!r} is not an IP address."))
        else:
            addresses[address] = None
    return tuple(addresses)


def _balancer_ips(service: Object, kind: str, findings: list[Finding]) -> tuple[str, ...]:
    """Addresses that nodes short-circuit: those of mode VIP, never hostnames (K15)."""
    if kind != "LoadBalancer":
        return ()
    ingress = [mapping(i) for i in sequence(mapping(status(service).get("loadBalancer")).get("ingress"))]
    values = [i["ip"] for i in ingress if i.get("ip") and i.get("ipMode") in (None, "VIP")]
    return _addresses(service, "status.loadBalancer.ingress", values, findings)


def _source_ranges(service: Object, findings: list[Finding]) -> tuple[str, ...]:
    """Canonical ranges; a family with a range of length 0 is not restricted and so has none (K18)."""
    ranges: dict[str, None] = {}
    for index, value in enumerate(sequence(spec(service).get("loadBalancerSourceRanges"))):
        found = canonical_range(value) if isinstance(value, str) else None
        if found is None:
            field = f"spec.loadBalancerSourceRanges[{index}]"
            findings.append(_finding(service, field, f"{value!r} is not a CIDR."))
        else:
            ranges[found] = None
    everyone = {family_of(r) for r in ranges if r.endswith("/0")}
    return tuple(sorted(r for r in ranges if family_of(r) not in everyone))


def _endpoints(slices: Iterable[Object], name: str, protocol: str, findings: list[Finding]) -> tuple[Endpoint, ...]:
    """The endpoints of a service port, joined by port name and protocol (K6, K7), each address and port once (K13)."""
    found: dict[tuple[str, int], Endpoint] = {}
    for endpoint_slice in slices:
        family = _FAMILIES.get(text(endpoint_slice.get("addressType")))
        if family is None:
            continue
        for port in map(mapping, sequence(endpoint_slice.get("ports"))):
            number = _number(port.get("port"))
            if not number or text(port.get("name")) != name or (text(port.get("protocol")) or "TCP") != protocol:
                continue
            for index, entry in enumerate(map(mapping, sequence(endpoint_slice.get("endpoints")))):
                address = _first_address(endpoint_slice, index, entry, family, findings)
                if address:
                    _keep_better(found, _endpoint(namespace(endpoint_slice), address, number, entry))
    return tuple(found[k] for k in sorted(found))


def _keep_better(found: dict[tuple[str, int], Endpoint], endpoint: Endpoint) -> None:
    """Of two copies the one that is not terminating counts, then the one that is ready, then the first (K13)."""
    other = found.setdefault((endpoint.address, endpoint.port), endpoint)
    if (not endpoint.terminating, endpoint.ready) > (not other.terminating, other.ready):
        found[endpoint.address, endpoint.port] = endpoint


def _first_address(
    endpoint_slice: Object, index: int, entry: Mapping[str, Any], family: int, findings: list[Finding]
) -> str | None:
    """The first address of an entry (K9), None when it is none of the slice's family (K8)."""
    value = next(iter(sequence(entry.get("addresses"))), None)
    address = canonical_address(value) if isinstance(value, str) else None
    if address is None or family_of(address) != family:
        field = f"endpoints[{index}].addresses[0]"
        findings.append(
            Finding(
                reference="unusable-field",
                message=f"{value!r} is not an address of type {endpoint_slice.get('addressType')}.",
                object=f"EndpointSlice {key(endpoint_slice)}",
                field=field,
            )
        )
        return None
    return address


def _endpoint(space: str, address: str, port: int, entry: Mapping[str, Any]) -> Endpoint:
    """One endpoint; nil conditions mean ready, serving and not terminating (K11)."""
    conditions, hints = mapping(entry.get("conditions")), mapping(entry.get("hints"))
    target = mapping(entry.get("targetRef"))
    is_pod = target.get("kind") == "Pod" and text(target.get("name"))
    return Endpoint(
        address,
        port,
        text(entry.get("nodeName")),
        text(entry.get("zone")),
        _flag(conditions.get("ready"), default=True),
        _flag(conditions.get("serving"), default=True),
        _flag(conditions.get("terminating"), default=False),
        _hint_names(hints.get("forZones")),
        _hint_names(hints.get("forNodes")),
        f"{text(target.get('namespace')) or space}/{target['name']}" if is_pod else "",
    )


def _flag(value: object, *, default: bool) -> bool:
    return value if isinstance(value, bool) else default


def _hint_names(value: object) -> tuple[str, ...]:
    return tuple(n for n in (text(mapping(hint).get("name")) for hint in sequence(value)) if n)
