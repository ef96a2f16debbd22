"""Rules for Services: what the API server refuses (V1 to V67) and what it warns of.

In: a Service with defaults (and the stored one on updates).  Out: findings through the ``Report``.
Called by ``k8s.validation``.  Taken or foreign addresses and node ports are the allocator's errors, not these.
Specification: behaviours of the Service API, section 2; ``V`` numbers in comments refer to it.
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence, text, whole
from switchboard.k8s.validation import cluster_ips, formats, metadata
from switchboard.k8s.validation.report import Report

TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
POLICIES: Final = ("Cluster", "Local")
DISTRIBUTIONS: Final = ("PreferClose", "PreferSameZone", "PreferSameNode")
LARGEST_PORT: Final = 65535
LONGEST_AFFINITY: Final = 86400  # seconds


def validate(report: Report, obj: Object, old: Object | None) -> None:
    """All rules that one Service (and its predecessor) can break by itself."""
    spec, before = objects.spec(obj), objects.spec(old or {})
    type_ = text(spec.get("type"))
    if type_ not in TYPES:  # V17
        report.not_supported("spec.type", type_, TYPES)
    _annotations(report, obj)
    if type_ == "ExternalName":
        _external_name(report, spec)
    _ports(report, spec, type_)
    metadata.labels(report, "spec.selector", spec.get("selector"))  # V16
    _affinity(report, spec)
    _external_ips(report, spec, before)
    _source_ranges(report, obj, old, type_)
    _balancer(report, spec, before, type_)
    _policies(report, spec, before, type_)
    cluster_ips.validate(report, spec, before)
    _status(report, obj, old, type_)
    _warnings(report, obj, type_)


def externally_accessible(spec: dict[str, Any]) -> bool:
    """NodePort, LoadBalancer, or ClusterIP with external addresses: the ones with an external traffic policy."""
    type_ = spec.get("type")
    return type_ in ("NodePort", "LoadBalancer") or (type_ == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check_port(spec: dict[str, Any]) -> bool:
    """LoadBalancer with the Local policy: load balancers then ask each node whether it has endpoints."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _annotations(report: Report, obj: Object) -> None:
    """V3: the older annotation's name and the newer one's must agree."""
    found = objects.annotations(obj)
    old, new = found.get(names.TOPOLOGY_AWARE_HINTS), found.get(names.TOPOLOGY_MODE)
    if old is not None and new is not None and old != new:
        field = f"metadata.annotations[{names.TOPOLOGY_MODE}]"
        report.invalid(field, new, f"equal to {names.TOPOLOGY_AWARE_HINTS}", f"Remove {names.TOPOLOGY_AWARE_HINTS}.")


def _external_name(report: Report, spec: dict[str, Any]) -> None:
    """V25 to V29."""
    for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(field) or (field == "clusterIPs" and spec.get("clusterIP")):
            report.forbidden(f"spec.{field}", "on a Service of type ExternalName")
    name = text(spec.get("externalName"))
    if not name:
        report.required("spec.externalName", "for type ExternalName")
    else:
        report.problems("spec.externalName", name, formats.dns_subdomain(name.removesuffix(".")))


def _ports(report: Report, spec: dict[str, Any], type_: str) -> None:
    ports = [port for port in sequence(spec.get("ports")) if isinstance(port, dict)]
    if not ports and type_ != "ExternalName" and not cluster_ips.headless(spec):  # V4
        report.required("spec.ports", hint="Add `ports` with at least one `port`.")
    seen_names: set[str] = set()
    seen_ports: set[tuple[str, int]] = set()
    seen_nodes: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        field = f"spec.ports[{index}]"
        _port(report, field, port, seen_names, several=len(ports) > 1)
        protocol, number, node_port = text(port.get("protocol")), whole(port.get("port")), whole(port.get("nodePort"))
        if (protocol, number) in seen_ports:  # V12
            pair = f"{protocol} {number}"
            report.duplicate(field, pair, "Give each port another number or protocol.")
        seen_ports.add((protocol, number))
        if not node_port:
            continue
        if type_ == "ClusterIP":  # V13
            report.forbidden(f"{field}.nodePort", "with type ClusterIP", "Remove it, or use type NodePort.")
        if (protocol, node_port) in seen_nodes:  # V14
            report.duplicate(f"{field}.nodePort", node_port)
        seen_nodes.add((protocol, node_port))


def _port(report: Report, field: str, port: dict[str, Any], seen: set[str], *, several: bool) -> None:
    """V5 to V11."""
    name, protocol, target = text(port.get("name")), text(port.get("protocol")), port.get("targetPort")
    if not name and several:
        report.required(f"{field}.name", "when a Service has several ports")
    elif name:
        report.problems(f"{field}.name", name, formats.dns_label(name))
        if name in seen:
            report.duplicate(f"{field}.name", name)
        seen.add(name)
    report.between(f"{field}.port", port.get("port"), 1, LARGEST_PORT)
    if not protocol:
        report.required(f"{field}.protocol")
    elif protocol not in PROTOCOLS:
        report.not_supported(f"{field}.protocol", protocol, PROTOCOLS)
    if isinstance(target, str):
        report.problems(f"{field}.targetPort", target, formats.port_name(target))
    else:
        report.between(f"{field}.targetPort", target, 1, LARGEST_PORT)
    if isinstance(port.get("appProtocol"), str):
        report.problems(f"{field}.appProtocol", port["appProtocol"], formats.qualified_name(port["appProtocol"]))


def _affinity(report: Report, spec: dict[str, Any]) -> None:
    """V18 to V22."""
    affinity, config = text(spec.get("sessionAffinity")), spec.get("sessionAffinityConfig")
    field = "spec.sessionAffinityConfig"
    if not affinity:
        report.required("spec.sessionAffinity")
    elif affinity not in ("None", "ClientIP"):
        report.not_supported("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    if affinity == "None" and config is not None:
        report.forbidden(field, "when `sessionAffinity` is None")
    if affinity != "ClientIP":
        return
    client = mapping(config).get("clientIP")
    if config is None:
        report.required(field, "when `sessionAffinity` is ClientIP")
    elif client is None:
        report.required(f"{field}.clientIP", "when `sessionAffinity` is ClientIP")
    elif mapping(client).get("timeoutSeconds") is None:
        report.required(f"{field}.clientIP.timeoutSeconds", "when `sessionAffinity` is ClientIP")
    else:
        report.between(f"{field}.clientIP.timeoutSeconds", client.get("timeoutSeconds"), 1, LONGEST_AFFINITY)


def _external_ips(report: Report, spec: dict[str, Any], before: dict[str, Any]) -> None:
    """V47 and V48."""
    stored = sequence(before.get("externalIPs"))
    for index, value in enumerate(sequence(spec.get("externalIPs"))):
        field = f"spec.externalIPs[{index}]"
        parsed, problems = formats.address(text(value))
        if value in stored and parsed is not None:
            problems = []
        report.problems(field, value, problems)
        if parsed is None or problems:
            continue
        multicast = "224.0.0.0/24" if parsed.version == 4 else "ff02::/16"
        for wrong, kind in (
            (parsed.is_unspecified, "the unspecified address"),
            (parsed.is_loopback, "a loopback address"),
            (parsed.is_link_local, "a link-local address"),
            (parsed in formats.cidr(multicast)[0], "a link-local multicast address"),  # type: ignore[operator]
        ):
            if wrong:
                report.invalid(
                    field, value, f"something else than {kind}", "Use an address that is routed to the nodes."
                )


def _source_ranges(report: Report, obj: Object, old: Object | None, type_: str) -> None:
    """V49 to V51; the capital L is Kubernetes' own."""
    spec, field = objects.spec(obj), "spec.LoadBalancerSourceRanges"
    annotation = objects.annotations(obj).get(names.LOAD_BALANCER_SOURCE_RANGES)
    ranges = sequence(spec.get("loadBalancerSourceRanges"))
    if ranges:
        if type_ != "LoadBalancer":
            report.forbidden(field, "unless `type` is LoadBalancer", "Remove `loadBalancerSourceRanges`.")
        stored = sequence(objects.spec(old or {}).get("loadBalancerSourceRanges"))
        for index, value in enumerate(ranges):
            _range(report, f"{field}[{index}]", text(value), stored=value in stored)
    elif annotation is not None and type_ == "LoadBalancer":
        if old and objects.annotations(old).get(names.LOAD_BALANCER_SOURCE_RANGES) == annotation:
            return
        if annotation.strip():
            for value in annotation.split(","):
                _range(report, f"metadata.annotations[{names.LOAD_BALANCER_SOURCE_RANGES}]", value, stored=False)
    elif annotation is not None:
        path = f"metadata.annotations[{names.LOAD_BALANCER_SOURCE_RANGES}]"
        report.forbidden(path, "unless `type` is LoadBalancer", "Remove the annotation.")


def _range(report: Report, field: str, value: str, *, stored: bool) -> None:
    network, problems = formats.cidr(value.strip())
    if network is None or not stored:
        report.problems(field, value, problems)


def _balancer(report: Report, spec: dict[str, Any], before: dict[str, Any], type_: str) -> None:
    """V52 to V56; the short path of V53 is Kubernetes' own."""
    allocate, class_ = spec.get("allocateLoadBalancerNodePorts"), spec.get("loadBalancerClass")
    if type_ == "LoadBalancer" and allocate is None:
        report.required("allocateLoadBalancerNodePorts", "for type LoadBalancer")
    if type_ != "LoadBalancer" and allocate is not None:
        report.forbidden("spec.allocateLoadBalancerNodePorts", "unless `type` is LoadBalancer")
    if type_ != "LoadBalancer" and class_ is not None:
        report.forbidden("spec.loadBalancerClass", "unless `type` is LoadBalancer")
    elif isinstance(class_, str):
        report.problems("spec.loadBalancerClass", class_, formats.qualified_name(class_))
    if type_ == before.get("type") == "LoadBalancer" and class_ != before.get("loadBalancerClass"):
        report.immutable("spec.loadBalancerClass", class_)


def _policies(report: Report, spec: dict[str, Any], before: dict[str, Any], type_: str) -> None:
    """V57 to V63."""
    external, internal = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    field = "spec.externalTrafficPolicy"
    if not externally_accessible(spec):
        if external:
            rule = "left out unless the Service is reachable from outside"
            report.invalid(field, external, rule, "Remove it, or use type NodePort or LoadBalancer.")
    elif not external:
        report.required(field)
    elif external not in POLICIES:
        report.not_supported(field, external, POLICIES)
    _health_check(report, spec, before)
    if internal is None and type_ in ("ClusterIP", "NodePort", "LoadBalancer"):
        report.required("spec.internalTrafficPolicy")
    elif internal is not None and internal not in POLICIES:
        report.not_supported("spec.internalTrafficPolicy", internal, POLICIES)
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in DISTRIBUTIONS:
        report.not_supported("spec.trafficDistribution", distribution, DISTRIBUTIONS)


def _health_check(report: Report, spec: dict[str, Any], before: dict[str, Any]) -> None:
    """V59 to V61.  A missing port is the allocator's to give, so that only a given one is looked at."""
    port, field = spec.get("healthCheckNodePort"), "spec.healthCheckNodePort"
    if not needs_health_check_port(spec):
        if port:
            rule = "left out unless `type` is LoadBalancer and `externalTrafficPolicy` is Local"
            report.invalid(field, port, rule, "Add `externalTrafficPolicy: Local`, or remove the health check port.")
        return
    if port:
        report.between(field, port, 1, LARGEST_PORT)
    if needs_health_check_port(before) and port and port != before.get("healthCheckNodePort"):
        report.immutable(field, port, forbidden=True)


def _status(report: Report, obj: Object, old: Object | None, type_: str) -> None:
    """V64 to V67; at creation a status is dropped before validation."""
    if old is None:
        return
    stored = [mapping(i).get("ip") for i in sequence(mapping(objects.status(old).get("loadBalancer")).get("ingress"))]
    ingresses = sequence(mapping(objects.status(obj).get("loadBalancer")).get("ingress"))
    if ingresses and type_ != "LoadBalancer":
        report.forbidden("status.loadBalancer.ingress", "unless `spec.type` is LoadBalancer")
        return
    for index, ingress in enumerate(ingresses):
        balancer_ingress(report, f"status.loadBalancer.ingress[{index}]", mapping(ingress), stored, modes=True)


def balancer_ingress(report: Report, field: str, ingress: dict[str, Any], stored: list[Any], *, modes: bool) -> None:
    """One entry of ``status.loadBalancer.ingress``; Ingresses have no ``ipMode``."""
    ip, mode, hostname = ingress.get("ip"), ingress.get("ipMode"), ingress.get("hostname")
    if ip:
        parsed, problems = formats.address(text(ip))
        if parsed is None or ip not in stored:
            report.problems(f"{field}.ip", ip, problems)
        if modes and mode is None:
            report.required(f"{field}.ipMode", "with `ip`")
    elif mode is not None:
        report.forbidden(f"{field}.ipMode", "without `ip`")
    if ip and mode is not None and mode not in ("VIP", "Proxy"):
        report.not_supported(f"{field}.ipMode", mode, ("Proxy", "VIP"))
    if hostname:
        report.problems(f"{field}.hostname", hostname, formats.dns_subdomain(text(hostname)))
        if formats.address(text(hostname))[0] is not None:
            report.invalid(f"{field}.hostname", hostname, "a DNS name, not an address")


def _warnings(report: Report, obj: Object, type_: str) -> None:
    """What an answer's Warning header says."""
    spec = objects.spec(obj)
    if names.TOPOLOGY_AWARE_HINTS in objects.annotations(obj):
        report.warn(
            "deprecated-annotation",
            f"metadata.annotations[{names.TOPOLOGY_AWARE_HINTS}]",
            f"The annotation {names.TOPOLOGY_AWARE_HINTS} is deprecated.",
            "Use `spec.trafficDistribution: PreferSameZone`.",
        )
    _non_canonical(report, spec)
    if spec.get("trafficDistribution") == "PreferClose":
        message = "PreferClose is the old name of PreferSameZone."
        report.warn("renamed-value", "spec.trafficDistribution", message, "Write PreferSameZone.")
    if spec.get("externalName") and type_ != "ExternalName":
        message = "`externalName` has no effect unless `type` is ExternalName."
        report.warn("field-ignored", "spec.externalName", message, "Remove it, or set the type.")
    headless = type_ == "ClusterIP" and cluster_ips.headless(spec)
    if headless:
        for field, value in (("loadBalancerIP", None), ("externalIPs", None), ("sessionAffinity", "None")):
            if spec.get(field) and spec[field] != value:
                message = f"`{field}` has no effect on a headless Service."
                report.warn("field-ignored", f"spec.{field}", message, "Remove it.")
    elif spec.get("externalIPs") and type_ == "ExternalName":
        message = "`externalIPs` has no effect with type ExternalName."
        report.warn("field-ignored", "spec.externalIPs", message, "Remove it.")
    elif spec.get("externalIPs"):
        message = (
            "`externalIPs` is deprecated since Kubernetes 1.36: anybody who may write Services can claim any address."
        )
        report.warn("deprecated-field", "spec.externalIPs", message, "Use type LoadBalancer.")


def _non_canonical(report: Report, spec: dict[str, Any]) -> None:
    """Addresses that other programs may read differently."""
    values = [("spec.loadBalancerIP", spec.get("loadBalancerIP"))]
    for field in ("clusterIPs", "externalIPs"):
        values += [(f"spec.{field}[{i}]", v) for i, v in enumerate(sequence(spec.get(field)))]
    for field, value in values:
        parsed, problems = formats.address(text(value))
        if parsed is not None and (problems or str(parsed) != value):
            message = f"`{field}` is written in a form that programs read differently: {value}."
            report.warn("address-not-canonical", field, message, f"Write {parsed}.")
    for index, value in enumerate(sequence(spec.get("loadBalancerSourceRanges"))):
        network, _ = formats.cidr(text(value).strip())
        if network is not None and str(network) != value:
            field = f"spec.loadBalancerSourceRanges[{index}]"
            message = f"`{field}` is written in a form that programs read differently: {value}."
            report.warn("address-not-canonical", field, message, f"Write {network}.")
