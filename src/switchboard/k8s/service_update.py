"""What an update of a Service keeps of the stored one although the client did not send it.

In: the Service as sent (with defaults) and as stored.  Out: a new object, ready for allocation and validation.
Called by the API server before it validates an update.
Specification: behaviours of the Service API, S3, S13 to S17, S29 to S32 and the table in 1.5.
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.k8s import objects
from switchboard.k8s.objects import Object, copied, sequence, whole
from switchboard.k8s.validation import cluster_ips
from switchboard.k8s.validation.service import externally_accessible, needs_health_check_port

_NODE_PORT_TYPES: Final = ("NodePort", "LoadBalancer")
_ADDRESSES: Final = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def carried(obj: Object, old: Object) -> Object:
    """The object with allocated values restored and those of the old type dropped; other kinds come back as a copy."""
    result: Object = copied(obj)
    if objects.kind(result) != "Service" or not isinstance(result.get("spec"), dict):
        return result
    before = objects.spec(old)
    spec = _restored(result["spec"], before)
    result["spec"] = _dropped(cluster_ips.linked(spec, before), before)
    left_balancer = result["spec"].get("type") != "LoadBalancer" and before.get("type") == "LoadBalancer"
    if left_balancer and isinstance(result.get("status"), dict) and result["status"] == old.get("status"):
        result["status"].pop("loadBalancer", None)
    return result


def _restored(spec: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Addresses, node ports (by port name) and the health check port where the client left them out."""
    if spec.get("type") != "ExternalName" and before.get("type") != "ExternalName":
        if not spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec.update({k: copied(before[k]) for k in ("clusterIP", "clusterIPs") if before.get(k)})
        if not spec.get("ipFamilies") and before.get("ipFamilies"):
            spec["ipFamilies"] = copied(before["ipFamilies"])
        if not spec.get("ipFamilyPolicy") and before.get("ipFamilyPolicy"):
            spec["ipFamilyPolicy"] = before["ipFamilyPolicy"]
    if spec.get("type") in _NODE_PORT_TYPES and before.get("type") in _NODE_PORT_TYPES:
        stored = {_name(port): whole(port.get("nodePort")) for port in _ports(before)}
        taken = {whole(port.get("nodePort")) for port in _ports(spec)}
        for port in _ports(spec):
            kept = stored.get(_name(port))
            if not whole(port.get("nodePort")) and kept and kept not in taken:
                port["nodePort"] = kept
    if needs_health_check_port(spec) and needs_health_check_port(before) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before.get("healthCheckNodePort")
    return spec


def _dropped(spec: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Without what belonged to the old type, as long as the client left it as it was stored."""
    type_, old_type = spec.get("type"), before.get("type")
    if type_ == "ExternalName" != old_type:
        _drop_same(spec, before, *(_ADDRESSES if _same(spec, before, "clusterIP", "clusterIPs") else _ADDRESSES[2:]))
    if type_ not in _NODE_PORT_TYPES and old_type in _NODE_PORT_TYPES:
        stored = {whole(port.get("nodePort")) for port in _ports(before)}
        if all(not whole(port.get("nodePort")) or whole(port["nodePort"]) in stored for port in _ports(spec)):
            for port in _ports(spec):
                port.pop("nodePort", None)
    if needs_health_check_port(before) and not needs_health_check_port(spec):
        _drop_same(spec, before, "healthCheckNodePort")
    if type_ != "LoadBalancer" and old_type == "LoadBalancer":
        _drop_same(spec, before, "allocateLoadBalancerNodePorts", "loadBalancerClass")
    if externally_accessible(before) and not externally_accessible(spec):
        _drop_same(spec, before, "externalTrafficPolicy")
    return spec


def _ports(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [port for port in sequence(spec.get("ports")) if isinstance(port, dict)]


def _name(port: dict[str, Any]) -> str:
    return objects.text(port.get("name"))


def _same(spec: dict[str, Any], before: dict[str, Any], *fields: str) -> bool:
    return all(spec.get(field) == before.get(field) for field in fields)


def _drop_same(spec: dict[str, Any], before: dict[str, Any], *fields: str) -> None:
    for field in fields:
        if field in spec and spec[field] == before.get(field):
            del spec[field]
