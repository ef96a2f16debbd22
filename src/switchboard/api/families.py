"""The linked fields of a Service: clusterIP and clusterIPs, ipFamilies and ipFamilyPolicy, and what a type drops.

In: a Service as it is to be stored, the stored one at an update, the cluster's families.
Out: the same Service completed in place, or ``Invalid``.
Called by ``api.services``.
Specification: https://kubernetes.io/docs/concepts/services-networking/dual-stack/ and pkg/registry/core/service.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from switchboard.api.errors import Cause, causes_of
from switchboard.k8s.objects import Object, mapping, sequence, spec, text
from switchboard.k8s.validation import cluster_ips as cluster_ips_rules
from switchboard.k8s.validation.report import Report

NONE = "None"
SINGLE, PREFER, REQUIRE = "SingleStack", "PreferDualStack", "RequireDualStack"
CLUSTER_TYPES = ("ClusterIP", "NodePort", "LoadBalancer")


def type_of(service: Object) -> str:
    """``spec.type``."""
    return text(spec(service).get("type")) or "ClusterIP"


def needs_cluster_ip(service: Object) -> bool:
    """Whether the type has addresses (or explicitly none)."""
    return type_of(service) in CLUSTER_TYPES


def needs_node_port(service: Object) -> bool:
    """Whether the type may have node ports."""
    return type_of(service) in ("NodePort", "LoadBalancer")


def needs_health_check_port(service: Object) -> bool:
    """Whether a health check node port is due: LoadBalancer with the Local policy."""
    return type_of(service) == "LoadBalancer" and spec(service).get("externalTrafficPolicy") == "Local"


def externally_accessible(service: Object) -> bool:
    """Whether externalTrafficPolicy means something."""
    kind = type_of(service)
    return kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(spec(service).get("externalIPs")))


def cluster_ips(service: Object) -> list[str]:
    """``spec.clusterIPs``, strings only."""
    return [ip for ip in sequence(spec(service).get("clusterIPs")) if isinstance(ip, str)]


def ports_of(service: Object) -> list[dict[str, Any]]:
    """``spec.ports``, mappings only."""
    return [port for port in sequence(spec(service).get("ports")) if isinstance(port, dict)]


def node_ports(service: Object) -> list[int]:
    """The node ports that are set, in order."""
    return [p["nodePort"] for p in ports_of(service) if isinstance(p.get("nodePort"), int) and p["nodePort"]]


def family_of(address: str) -> str:
    """``IPv4``, ``IPv6``, or empty for what is no address."""
    try:
        return f"IPv{ipaddress.ip_address(address).version}"
    except ValueError:
        return ""


def _set(service: Object, field: str, value: Any) -> None:
    if value:
        service["spec"][field] = value
    else:
        service["spec"].pop(field, None)


def restore_allocated(new: Object, old: Object) -> None:
    """Fill in addresses and ports that the request left out and that the Service already has."""
    if needs_cluster_ip(old) and needs_cluster_ip(new):
        if not spec(new).get("clusterIP"):
            _set(new, "clusterIP", spec(old).get("clusterIP"))
        if not cluster_ips(new) and spec(new).get("clusterIP") == spec(old).get("clusterIP"):
            _set(new, "clusterIPs", cluster_ips(old))
    if needs_node_port(old) and needs_node_port(new):
        # A number that the request gives to some port cannot be handed to another one.
        taken = set(node_ports(old)) & set(node_ports(new))
        by_name = {text(port.get("name")): port.get("nodePort") for port in ports_of(old)}
        for port in ports_of(new):
            known = by_name.get(text(port.get("name")))
            if not port.get("nodePort") and known and known not in taken:
                port["nodePort"] = known
    health = spec(old).get("healthCheckNodePort")
    if needs_health_check_port(old) and needs_health_check_port(new) and not spec(new).get("healthCheckNodePort"):
        _set(new, "healthCheckNodePort", health)


def normalise(new: Object, old: Object | None) -> None:
    """Keep clusterIP and clusterIPs in step for clients that know only one of them."""
    if old is None:
        if spec(new).get("clusterIP") and not cluster_ips(new):
            _set(new, "clusterIPs", [spec(new)["clusterIP"]])
        return
    before, after = text(spec(old).get("clusterIP")), text(spec(new).get("clusterIP"))
    if before != after and cluster_ips(new) in ([], cluster_ips(old)):
        _set(new, "clusterIPs", [after] if after else [])


def initialise(new: Object, old: Object | None, cluster: Sequence[str]) -> list[Cause]:
    """Settle ipFamilyPolicy and ipFamilies; ``cluster`` holds the cluster's families, the default one first."""
    if type_of(new) == "ExternalName" or _keeps_dual_stack(new, old):
        return []
    if spec(new).get("ipFamilyPolicy") is None:
        _set(new, "ipFamilyPolicy", _default_policy(new, old))
    causes = _shrink(new, old) if old is not None else []
    if causes:
        return causes
    # What the fields say by themselves comes before what the cluster offers, and is told alone.
    report = Report(new)
    cluster_ips_rules.validate(report, spec(new), {})
    causes = causes_of(report.findings)
    if all(cause.field == "spec.ipFamilyPolicy" for cause in causes):
        causes += _infer(new, cluster)
    if causes:
        return causes
    if spec(new).get("clusterIP") == NONE and not mapping(spec(new).get("selector")):
        # Such a Service publishes what somebody writes for it, of whatever family.
        families = sequence(spec(new).get("ipFamilies")) or [cluster[0]]
        _set(new, "ipFamilies", families if spec(new)["ipFamilyPolicy"] == SINGLE else _both(families))
        return []
    return _complete(new, cluster)


def _keeps_dual_stack(new: Object, old: Object | None) -> bool:
    """Whether a PreferDualStack Service is left as stored, so that a change of the cluster does not reshape it."""
    if old is None or spec(new).get("ipFamilyPolicy") != PREFER:
        return False
    same = ("type", "ipFamilyPolicy", "clusterIPs", "ipFamilies", "clusterIP")
    return all(spec(new).get(field) == spec(old).get(field) for field in same) and type_of(old) == type_of(new)


def _default_policy(new: Object, old: Object | None) -> str:
    if old is not None and spec(old).get("ipFamilyPolicy"):
        return str(spec(old)["ipFamilyPolicy"])
    headless_by_hand = spec(new).get("clusterIP") == NONE and not mapping(spec(new).get("selector"))
    return REQUIRE if headless_by_hand else SINGLE


def _shrink(new: Object, old: Object) -> list[Cause]:
    """Follow a downgrade to SingleStack; refuse a shorter list without it."""
    causes = []
    for field, what in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
        before, after = sequence(spec(old).get(field)), sequence(spec(new).get(field))
        if spec(new)["ipFamilyPolicy"] == SINGLE:
            if before == after and len(after) > 1:
                _set(new, field, after[:1])
        elif len(after) == 1 and len(before) == 2 and after[0] == before[0]:
            why = f"must be 'SingleStack' to release the secondary {what}"
            causes.append(_invalid("spec.ipFamilyPolicy", spec(new)["ipFamilyPolicy"], why))
    return causes


def _infer(new: Object, cluster: Sequence[str]) -> list[Cause]:
    families = list(sequence(spec(new).get("ipFamilies")))
    for i, address in enumerate(cluster_ips(new)):
        if address == NONE:
            break
        family = family_of(address)
        if i < len(families) or not family:
            continue
        if family not in cluster:
            return [_invalid(f"spec.clusterIPs[{i}]", cluster_ips(new), f"{family} is not configured on this cluster")]
        families.append(family)
    _set(new, "ipFamilies", families)
    return []


def _complete(new: Object, cluster: Sequence[str]) -> list[Cause]:
    policy, families = spec(new)["ipFamilyPolicy"], list(sequence(spec(new).get("ipFamilies")))
    causes = []
    if policy == REQUIRE and len(cluster) < 2:
        why = "this cluster is not configured for dual-stack services"
        causes.append(_invalid("spec.ipFamilyPolicy", policy, why))
    for i, family in enumerate(families):
        if family not in cluster:
            causes.append(_invalid(f"spec.ipFamilies[{i}]", family, "not configured on this cluster"))
    if causes:
        return causes
    families = families or [cluster[0]]
    _set(new, "ipFamilies", _both(families) if policy != SINGLE and len(cluster) > 1 else families)
    return []


def _both(families: Sequence[Any]) -> list[Any]:
    """Both families, the given one first."""
    return [*families, *(f for f in ("IPv4", "IPv6") if f not in families)][:2]


def _invalid(field: str, value: Any, why: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {value}: {why}", field)


def drop_by_type(new: Object, old: Object) -> None:
    """Drop what the new type does not have, where the request left it as stored."""
    if needs_cluster_ip(old) and not needs_cluster_ip(new):
        if cluster_ips(new) == cluster_ips(old) and spec(new).get("clusterIP") == spec(old).get("clusterIP"):
            _set(new, "clusterIP", None)
            _set(new, "clusterIPs", None)
        _drop_same(new, old, "ipFamilies", "ipFamilyPolicy")
    if needs_node_port(old) and not needs_node_port(new) and set(node_ports(new)) <= set(node_ports(old)):
        for port in ports_of(new):
            port.pop("nodePort", None)
    if needs_health_check_port(old) and not needs_health_check_port(new):
        _drop_same(new, old, "healthCheckNodePort")
    if type_of(old) == "LoadBalancer" and type_of(new) != "LoadBalancer":
        _drop_same(new, old, "allocateLoadBalancerNodePorts", "loadBalancerClass")
        new["status"] = {**mapping(new.get("status")), "loadBalancer": {}}
    if externally_accessible(old) and not externally_accessible(new):
        _drop_same(new, old, "externalTrafficPolicy")


def _drop_same(new: Object, old: Object, *fields: str) -> None:
    for field in fields:
        if spec(new).get(field) == spec(old).get(field):
            spec(new).pop(field, None)
