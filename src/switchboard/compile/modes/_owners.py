"""Which service port an address or NodePort belongs to when several claim it.

In go the service ports of a node; out come the owner of each key and findings for those that go without.
Called by the proxy modes.
Specification: K140 of the behaviour list (kube-proxy 1.36), with a choice that does not depend on order.
"""

from __future__ import annotations

from collections.abc import Iterable

from switchboard.base.findings import Finding, Severity
from switchboard.view.choice import addresses_of
from switchboard.view.service import ServicePort


def key_of(address: str, port: ServicePort) -> str:
    """The element key of an address of a service port."""
    return f"{address} . {port.protocol.lower()} . {port.port}"


def node_key_of(port: ServicePort) -> str:
    """The element key of a NodePort."""
    return f"{port.protocol.lower()} . {port.node_port}"


def owners_of(family: int, ports: Iterable[ServicePort]) -> tuple[dict[str, str], tuple[Finding, ...]]:
    """Which service port an address belongs to when several claim it (K140), and a finding for each that goes without.

    A cluster address cannot be taken by somebody's load balancer, nor that by an external address; among equals
    the first name wins.
    """
    owners: dict[str, str] = {}
    findings = []
    wanted = list(ports)
    for field in ("cluster_ips", "load_balancer_ips", "external_ips", "node_port"):
        for port in wanted:
            if field == "node_port":
                keys = [node_key_of(port)] if port.node_port else []
            else:
                keys = [key_of(a, port) for a in addresses_of(getattr(port, field), family)]
            for key in keys:
                if owners.setdefault(key, port.key) != port.key:
                    message = f"{key.replace(' . ', ' ')} belongs to {owners[key]} already and stays with it."
                    where = f"Service {port.namespace}/{port.name}"
                    findings.append(
                        Finding(reference="address-taken", message=message, severity=Severity.WARNING, object=where)
                    )
    return owners, tuple(findings)
