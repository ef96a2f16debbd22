"""Rules for Endpoints and EndpointSlices.

In: an object with defaults (and the stored one on updates).  Out: findings through the ``Report``.
Called by ``k8s.validation``.
Specification: pkg/apis/core/validation and pkg/apis/discovery/validation of Kubernetes 1.36.
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.k8s.objects import Object, mapping, sequence, text
from switchboard.k8s.validation import formats
from switchboard.k8s.validation.formats import Address
from switchboard.k8s.validation.report import Report

PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
ADDRESS_TYPES: Final = ("FQDN", "IPv4", "IPv6")
MAX_ENDPOINTS, MAX_ADDRESSES, MAX_PORTS, MAX_HINTS = 1000, 100, 20000, 8


def endpoints(report: Report, obj: Object, old: Object | None) -> None:
    """Every subset has addresses that pods can have, and ports."""
    del old
    for i, subset in enumerate(mapping(s) for s in sequence(obj.get("subsets"))):
        field = f"subsets[{i}]"
        lists = {part: sequence(subset.get(part)) for part in ("addresses", "notReadyAddresses")}
        if not any(lists.values()):
            report.required(field, "with `addresses` or `notReadyAddresses`")
        for part, addresses in lists.items():
            for j, address in enumerate(mapping(a) for a in addresses):
                _address(report, f"{field}.{part}[{j}]", address)
        ports = [mapping(p) for p in sequence(subset.get("ports"))]
        for j, port in enumerate(ports):
            _port(report, f"{field}.ports[{j}]", port, named=len(ports) > 1)


def _address(report: Report, field: str, address: dict[str, Any]) -> None:
    parsed, problems = formats.address(text(address.get("ip")))
    report.problems(f"{field}.ip", address.get("ip"), problems)
    if parsed is not None and not problems:
        _usable(report, f"{field}.ip", parsed)
    if address.get("hostname"):
        report.problems(f"{field}.hostname", address["hostname"], formats.dns_label(text(address["hostname"])))
    if address.get("nodeName"):
        report.problems(f"{field}.nodeName", address["nodeName"], formats.dns_subdomain(text(address["nodeName"])))


def _usable(report: Report, field: str, parsed: Address) -> None:
    """Not unspecified, loopback, link-local or link-local multicast."""
    multicast = parsed.is_multicast and (
        parsed.packed[:3] == b"\xe0\x00\x00" if parsed.version == 4 else parsed.packed[1] & 0x0F == 2
    )
    if parsed.is_unspecified or parsed.is_loopback or parsed.is_link_local or multicast:
        kind = "unspecified" if parsed.is_unspecified else "loopback" if parsed.is_loopback else "link-local"
        report.invalid(field, str(parsed), f"an address that others can reach, not a {kind} one")


def _port(report: Report, field: str, port: dict[str, Any], *, named: bool) -> None:
    name = text(port.get("name"))
    if name:
        report.problems(f"{field}.name", name, formats.dns_label(name))
    elif named:
        report.required(f"{field}.name", "where there are several ports")
    report.between(f"{field}.port", port.get("port"), 1, 65535)
    _protocol(report, field, port)
    application = port.get("appProtocol")
    if application is not None:
        report.problems(f"{field}.appProtocol", application, formats.qualified_name(text(application)))


def _protocol(report: Report, field: str, port: dict[str, Any]) -> None:
    protocol = port.get("protocol")
    if not protocol:
        report.required(f"{field}.protocol")
    elif protocol not in PROTOCOLS:
        report.not_supported(f"{field}.protocol", protocol, PROTOCOLS)


def endpoint_slice(report: Report, obj: Object, old: Object | None) -> None:
    """One address type, endpoints of it, ports with unique names."""
    type_ = obj.get("addressType")
    if not type_:
        report.required("addressType")
    elif type_ not in ADDRESS_TYPES:
        report.not_supported("addressType", type_, ADDRESS_TYPES)
    elif old is not None and old.get("addressType") != type_:
        report.immutable("addressType", type_)
    if type_ == "FQDN":
        report.warn("deprecated-value", "addressType", "FQDN is deprecated: nothing uses it.", "Use IPv4 or IPv6.")
    found = sequence(obj.get("endpoints"))
    if len(found) > MAX_ENDPOINTS:
        report.too_many("endpoints", f"`endpoints` has more than {MAX_ENDPOINTS}.", "Use several slices.")
        return
    for i, endpoint in enumerate(mapping(e) for e in found):
        _endpoint(report, f"endpoints[{i}]", endpoint, text(type_))
    _slice_ports(report, sequence(obj.get("ports")))


def _endpoint(report: Report, field: str, endpoint: dict[str, Any], type_: str) -> None:
    addresses = sequence(endpoint.get("addresses"))
    if not addresses:
        report.required(f"{field}.addresses", "with at least one address")
    elif len(addresses) > MAX_ADDRESSES:
        message = f"`{field}.addresses` has more than {MAX_ADDRESSES}."
        report.too_many(f"{field}.addresses", message, "Use several endpoints.")
    for i, address in enumerate(addresses):
        _slice_address(report, f"{field}.addresses", i, text(address), type_)
    for name in ("hostname", "nodeName"):
        value = endpoint.get(name)
        if value is not None:
            check = formats.dns_label if name == "hostname" else formats.dns_subdomain
            report.problems(f"{field}.{name}", value, check(text(value)))
    hints = mapping(endpoint.get("hints"))
    for part, check in (("forZones", formats.label_value), ("forNodes", formats.dns_subdomain)):
        seen: set[str] = set()
        given = [text(mapping(h).get("name")) for h in sequence(hints.get(part))]
        if len(given) > MAX_HINTS:
            message = f"`{field}.hints.{part}` has more than {MAX_HINTS}."
            report.too_many(f"{field}.hints.{part}", message, "Name fewer.")
            continue
        for i, name in enumerate(given):
            place = f"{field}.hints.{part}[{i}].name"
            if name in seen:
                report.duplicate(place, name)
            seen.add(name)
            report.problems(place, name, check(name))


def _slice_address(report: Report, field: str, index: int, address: str, type_: str) -> None:
    place = f"{field}[{index}]"
    if type_ == "FQDN":
        report.problems(place, address, formats.dns_subdomain(address.rstrip(".")))
        return
    if type_ not in ADDRESS_TYPES:
        return
    parsed, problems = formats.address(address)
    if parsed is not None and f"IPv{parsed.version}" != type_:
        report.invalid(field, address, f"an {type_} address")
        return
    if parsed is not None and not problems and str(parsed) != address:
        problems = [f"in canonical form ({parsed})"]
    report.problems(place, address, problems)
    if parsed is not None and not problems:
        _usable(report, place, parsed)


def _slice_ports(report: Report, ports: list[Any]) -> None:
    seen: set[str] = set()
    if len(ports) > MAX_PORTS:
        report.too_many("ports", f"`ports` has more than {MAX_PORTS}.", "Use several slices.")
        return
    for i, port in enumerate(mapping(p) for p in ports):
        name = text(port.get("name"))
        if name:
            report.problems(f"ports[{i}].name", name, formats.dns_label(name))
        if name in seen:
            report.duplicate(f"ports[{i}].name", name)
        seen.add(name)
        _protocol(report, f"ports[{i}]", port)
        application = port.get("appProtocol")
        if application is not None:
            report.problems(f"ports[{i}].appProtocol", application, formats.qualified_name(text(application)))
