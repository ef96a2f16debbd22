"""Which pods stand behind a Service, at which addresses and ports, in which condition.

In: Services, Pods, Nodes of a snapshot.  Out: endpoints as EndpointSlices hold them, by port set and address family.
Called by the controllers endpointslice and endpoints.
Specification: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from switchboard.api import selectors
from switchboard.controllers import _pods, _topology
from switchboard.controllers._snapshot import Index, Key, Snapshot
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence, text

Port = dict[str, Any]
Endpoint = dict[str, Any]


class Group(msgspec.Struct):
    """Endpoints that offer the same ports."""

    ports: list[Port]
    endpoints: list[Endpoint]


def _first_pair(service: Object) -> Iterable[tuple[str, str, str]]:
    selector = mapping(objects.spec(service).get("selector"))
    return [(objects.namespace(service), *pair) for pair in sorted(selector.items())[:1]]


# A pod finds the Services that select it without looking at all of them: each is filed under one of its pairs.
SERVICES_BY_PAIR = Index("selector", "Service", _first_pair)
PODS_BY_NODE = Index("node", "Pod", lambda pod: (_pods.node_of(pod),))


def selected(service: Object) -> bool:
    """Whether the endpoints of a Service come from pods: it has a selector and is not an ExternalName."""
    spec = objects.spec(service)
    return bool(mapping(spec.get("selector"))) and spec.get("type") != "ExternalName"


def services_of_pod(snapshot: Snapshot, pod: Object) -> list[Key]:
    """Keys of the Services that select a pod."""
    space, labels = objects.namespace(pod), objects.labels(pod)
    found = []
    for pair in labels.items():
        for service in snapshot.indexed(SERVICES_BY_PAIR, (space, *pair)):
            wanted = mapping(objects.spec(service).get("selector"))
            if selected(service) and wanted.items() <= labels.items():
                found.append((space, objects.name(service)))
    return found


def services_of_node(snapshot: Snapshot, node: Object) -> set[Key]:
    """Keys of the Services with pods on a node."""
    pods = snapshot.indexed(PODS_BY_NODE, objects.name(node))
    return {key for pod in pods for key in services_of_pod(snapshot, pod)}


def matters(pod: Object) -> tuple[Any, ...]:
    """What of a pod can change an endpoint; equal tuples mean that nothing is to be done."""
    spec = objects.spec(pod)
    return (
        objects.labels(pod),
        _pods.phase(pod) in _pods.FINISHED,
        objects.deleting(pod),
        _pods.ready(pod),
        objects.status(pod).get("podIP"),
        objects.status(pod).get("podIPs"),
        spec.get("nodeName"),
        spec.get("hostname"),
        spec.get("subdomain"),
        objects.uid(pod),
    )


def families(service: Object) -> list[str]:
    """Address types of the Service's slices (``IPv4``, ``IPv6``), the primary one first."""
    spec = objects.spec(service)
    named = [f for f in sequence(spec.get("ipFamilies")) if f in ("IPv4", "IPv6")]
    return named or ["IPv6" if ":" in text(spec.get("clusterIP")) else "IPv4"]


def headless(service: Object) -> bool:
    """Whether the Service has no address of its own."""
    return objects.spec(service).get("clusterIP") in ("None", "", None)


def pods_of_service(snapshot: Snapshot, service: Object) -> list[Object]:
    """The pods that count: selected, with an address, not finished."""
    selector = selectors.from_labels(mapping(objects.spec(service).get("selector")))
    pods = snapshot.select("Pod", objects.namespace(service), selector)
    return [p for p in pods if objects.status(p).get("podIP") and _pods.phase(p) not in _pods.FINISHED]


def addresses(pod: Object, family: str) -> list[str]:
    """The pod's canonical addresses of one family."""
    status = objects.status(pod)
    given = [text(mapping(ip).get("ip")) for ip in sequence(status.get("podIPs"))] or [text(status.get("podIP"))]
    found = []
    for value in given:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            continue
        if f"IPv{address.version}" == family and str(address) not in found:
            found.append(str(address))
    return found


def ports(service: Object, pod: Object) -> list[Port]:
    """The Service's ports as this pod offers them; a named target port that the pod lacks is left out."""
    resolved = []
    for port in map(mapping, sequence(objects.spec(service).get("ports"))):
        protocol = text(port.get("protocol")) or "TCP"
        number = _target(pod, port.get("targetPort") or port.get("port"), protocol)
        if number is None:
            continue
        entry: Port = {"name": text(port.get("name")), "port": number, "protocol": protocol}
        if port.get("appProtocol"):
            entry["appProtocol"] = port["appProtocol"]
        resolved.append(entry)
    return resolved


def _target(pod: Object, target: object, protocol: str) -> int | None:
    if isinstance(target, int):
        return target
    spec = objects.spec(pod)
    sidecars = [c for c in sequence(spec.get("initContainers")) if mapping(c).get("restartPolicy") == "Always"]
    for container in map(mapping, [*sequence(spec.get("containers")), *sidecars]):
        for port in map(mapping, sequence(container.get("ports"))):
            if port.get("name") == target and (text(port.get("protocol")) or "TCP") == protocol:
                return _pods.integer(port.get("containerPort"), 0) or None
    return None


def endpoint(service: Object, pod: Object, node: Object | None, family: str) -> Endpoint:
    """One endpoint: addresses, the three conditions, where it runs, and hints for trafficDistribution."""
    serving, terminating = _pods.ready(pod), objects.deleting(pod)
    always = objects.spec(service).get("publishNotReadyAddresses") is True
    is_ready = always or (serving and not terminating)
    entry: Endpoint = {
        "addresses": addresses(pod, family),
        "conditions": {"ready": is_ready, "serving": serving, "terminating": terminating},
        "targetRef": {
            "kind": "Pod",
            "namespace": objects.namespace(pod),
            "name": objects.name(pod),
            "uid": objects.uid(pod),
        },
    }
    if _pods.node_of(pod):
        entry["nodeName"] = _pods.node_of(pod)
    zone = objects.labels(node).get(names.ZONE_LABEL) if node is not None else None
    if zone:
        entry["zone"] = zone
    spec = objects.spec(pod)
    if spec.get("hostname") and spec.get("subdomain") == objects.name(service):
        entry["hostname"] = spec["hostname"]
    hints = _hints(service, zone, _pods.node_of(pod)) if is_ready else {}
    if hints:
        entry["hints"] = hints
    return entry


def _hints(service: Object, zone: str | None, node: str) -> dict[str, Any]:
    """Hints that hold for the endpoint's own zone and node; the topology annotation switches them off."""
    wanted = objects.spec(service).get("trafficDistribution")
    if _topology.enabled(service) or wanted not in ("PreferClose", "PreferSameZone", "PreferSameNode"):
        return {}
    hints: dict[str, Any] = {}
    if zone:
        hints["forZones"] = [{"name": zone}]
    if wanted == "PreferSameNode" and node:
        hints["forNodes"] = [{"name": node}]
    return hints


def groups(snapshot: Snapshot, service: Object, pods: Iterable[Object], family: str) -> list[Group]:
    """The endpoints of one family by port set; a pod on an unknown node is left out unless unready ones are wanted."""
    found: dict[bytes, Group] = {}
    always = objects.spec(service).get("publishNotReadyAddresses") is True
    for pod in pods:
        if not addresses(pod, family):
            continue
        node = snapshot.get("Node", "", _pods.node_of(pod)) if _pods.node_of(pod) else None
        if node is None and _pods.node_of(pod) and not always:
            continue
        offered = ports(service, pod)
        group = found.setdefault(port_key(offered), Group(offered, []))
        group.endpoints.append(endpoint(service, pod, node, family))
    return [found[key] for key in sorted(found)]


def port_key(offered: Iterable[Mapping[str, Any]]) -> bytes:
    """Equal for equal port sets, whatever their order."""
    return b"\n".join(sorted(msgspec.json.encode(port, order="sorted") for port in offered))
