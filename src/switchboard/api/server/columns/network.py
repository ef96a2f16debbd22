"""Columns of Services, their endpoints, Ingresses and network policies.

In: objects.  Out: cells.
Called by ``columns.columns_of``.
Specification: pkg/printers/internalversion of Kubernetes 1.36.
"""

from __future__ import annotations

from typing import Any

from switchboard.api.server.columns.cells import AGE, NAME, NONE, UNSET, at, column, joined, labels, selector
from switchboard.api.server.tables import Columns
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence, text

_SHOWN = 3


def _balancer(obj: Object) -> list[str]:
    found = sequence(mapping(objects.status(obj).get("loadBalancer")).get("ingress"))
    return [text(mapping(i).get("ip")) or text(mapping(i).get("hostname")) for i in found]


def _external(service: Object) -> str:
    spec = objects.spec(service)
    given = [text(a) for a in sequence(spec.get("externalIPs"))]
    if spec.get("type") == "ExternalName":
        return text(spec.get("externalName"))
    if spec.get("type") == "LoadBalancer":
        return joined([*_balancer(service), *given], "<pending>")
    return joined(given)


def _ports(service: Object) -> str:
    found = []
    for port in (mapping(p) for p in sequence(objects.spec(service).get("ports"))):
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        found.append(f"{port.get('port')}{node_port}/{port.get('protocol', 'TCP')}")
    return joined(found)


def _more(values: list[str]) -> str:
    if len(values) <= _SHOWN:
        return joined(values, UNSET)
    return f"{joined(values[:_SHOWN])} + {len(values) - _SHOWN} more..."


def _slice_ports(item: Object) -> str:
    found = []
    for port in (mapping(p) for p in sequence(item.get("ports"))):
        found.append(str(port["port"]) if port.get("port") is not None else text(port.get("name")) or "*")
    return _more(found)


def _slice_addresses(item: Object) -> str:
    return _more([text(a) for e in sequence(item.get("endpoints")) for a in sequence(mapping(e).get("addresses"))])


def _endpoints(item: Object) -> str:
    found = []
    for subset in (mapping(s) for s in sequence(item.get("subsets"))):
        ports = [mapping(p).get("port") for p in sequence(subset.get("ports"))]
        for address in sequence(subset.get("addresses")):
            ip = text(mapping(address).get("ip"))
            host = f"[{ip}]" if ":" in ip else ip
            found += [f"{host}:{port}" for port in ports] or [ip]
    if len(found) <= _SHOWN:
        return joined(found)
    return f"{joined(found[:_SHOWN])} + {len(found) - _SHOWN} more..."


def _hosts(ingress: Object) -> str:
    found = [text(mapping(r).get("host")) for r in sequence(objects.spec(ingress).get("rules"))]
    found = [host for host in found if host]
    if not found:
        return "*"
    return joined(found) if len(found) <= _SHOWN else f"{joined(found[:_SHOWN])} + {len(found) - _SHOWN} more..."


def _ingress_class(ingress: Object) -> str:
    found = objects.spec(ingress).get("ingressClassName")
    return text(found) or text(objects.annotations(ingress).get(names.INGRESS_CLASS_ANNOTATION)) or NONE


def _parameters(item: Object) -> str:
    found = mapping(objects.spec(item).get("parameters"))
    if not found:
        return NONE
    group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
    return f"{found.get('kind')}{group}/{found.get('name')}"


def _parent(item: Object) -> str:
    found = mapping(objects.spec(item).get("parentRef"))
    parts: list[Any] = [found.get("resource"), found.get("namespace"), found.get("name")]
    return "/".join(str(p) for p in parts if p)


COLUMNS: dict[str, Columns] = {
    "Service": (
        NAME,
        column("Type", at("spec", "type")),
        column("Cluster-IP", lambda o: joined(sequence(objects.spec(o).get("clusterIPs"))[:1])),
        column("External-IP", _external),
        column("Port(s)", _ports),
        AGE,
        column("Selector", lambda o: labels(mapping(objects.spec(o).get("selector"))), wide=True),
    ),
    "Endpoints": (NAME, column("Endpoints", _endpoints), AGE),
    "EndpointSlice": (
        NAME,
        column("AddressType", at("addressType")),
        column("Ports", _slice_ports),
        column("Endpoints", _slice_addresses),
        AGE,
    ),
    "Ingress": (
        NAME,
        column("Class", _ingress_class),
        column("Hosts", _hosts),
        column("Address", lambda o: joined(_balancer(o), "")),
        column("Ports", lambda o: "80, 443" if objects.spec(o).get("tls") else "80"),
        AGE,
    ),
    "IngressClass": (NAME, column("Controller", at("spec", "controller")), column("Parameters", _parameters), AGE),
    "NetworkPolicy": (NAME, column("Pod-Selector", lambda o: selector(objects.spec(o).get("podSelector"))), AGE),
    "ServiceCIDR": (NAME, column("CIDRs", lambda o: joined(sequence(objects.spec(o).get("cidrs")), "")), AGE),
    "IPAddress": (NAME, column("ParentRef", _parent), AGE),
}
