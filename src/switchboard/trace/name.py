"""Which address a host name leads to, for a client outside and for a pod.

Comes in: a host and the index.  Goes out: an address with the hop that explains it, or how the request ends.
Called by ``trace.path``.  Cluster names follow the Kubernetes DNS specification 1.1.0; outside names are those for
which some gateway has a rule, since whoever publishes a host points its name at the gateway's Service.
"""

from __future__ import annotations

import msgspec

from switchboard.trace.lookup import Lookup
from switchboard.trace.request import canonical_address
from switchboard.trace.result import Hop, HopKind, Outcome, Verdict
from switchboard.view.service import ServicePort


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """An ``address``, or the ports of a ``headless`` Service, or an ``end``; and the hop that says so."""

    address: str = ""
    headless: tuple[ServicePort, ...] = ()
    hop: Hop | None = None
    end: Outcome | None = None


def resolve_outside(host: str, lookup: Lookup) -> Resolved:
    """The address that an outside client finds for a host."""
    address = canonical_address(host)
    if address:
        return Resolved(address=address)
    gateways = lookup.gateways_of(host)
    if not gateways:
        return _unresolved(
            f"No gateway has a rule for {host}, so no address of this cluster is known for it.",
            "Add a rule for this host, or name the address to connect to.",
        )
    if len(gateways) > 1:
        names = ", ".join(g.name for g in gateways)
        return Resolved(
            end=Outcome(
                verdict=Verdict.UNKNOWN,
                reason=f"The gateways {names} all have rules for {host}; only its DNS record says which is asked.",
                hint="Name the address to connect to.",
            )
        )
    gateway = gateways[0]
    ports = lookup.services.get(gateway.service, [])
    addresses = tuple(dict.fromkeys(a for p in ports for a in (*p.load_balancer_ips, *p.external_ips)))
    if not addresses:
        return _unresolved(*_unpublished(gateway.name, gateway.service, ports, lookup))
    rule_host = lookup.routes[gateway.name].host_of(host)
    more = f" (the first of {len(addresses)} addresses)" if len(addresses) > 1 else ""
    hop = Hop(
        kind=HopKind.NAME,
        name=host,
        what=f"address {addresses[0]}{more}",
        why=f"gateway {gateway.name} has rules for {rule_host}, Service {gateway.service} publishes it",
    )
    return Resolved(address=canonical_address(addresses[0]), hop=hop)


def resolve_in_cluster(host: str, namespace: str, lookup: Lookup) -> Resolved:
    """The address that a pod of a namespace finds for a host: cluster names first, then outside ones."""
    address = canonical_address(host)
    if address:
        return Resolved(address=address)
    service = service_of(host, namespace, lookup)
    if not service:
        domain = f".{lookup.view.network.domain}"
        if host.endswith((".svc", domain)):
            return _unresolved(f"The cluster has no Service called {host}.", "Check the name and the namespace.")
        return resolve_outside(host, lookup)
    ports = lookup.services[service]
    if ports[0].headless:
        return Resolved(headless=tuple(ports), hop=_name_hop(host, service, "addresses of the ready pods", "headless"))
    if not ports[0].cluster_ips:
        return Resolved(
            end=Outcome(
                verdict=Verdict.UNKNOWN,
                reason=f"Service {service} of type {ports[0].type} has no address in the cluster.",
            )
        )
    found = ports[0].cluster_ips[0]
    return Resolved(address=canonical_address(found), hop=_name_hop(host, service, f"ClusterIP {found}", "ClusterIP"))


def service_of(host: str, namespace: str, lookup: Lookup) -> str:
    """The Service ``namespace/name`` that a cluster name means to a pod of ``namespace``, empty for none."""
    name = host.removesuffix(f".{lookup.view.network.domain}").removesuffix(".svc")
    labels = name.split(".")
    if len(labels) > 2:
        return ""
    key = f"{labels[1]}/{labels[0]}" if len(labels) == 2 else f"{namespace}/{labels[0]}"
    return key if key in lookup.services else ""


def _name_hop(host: str, service: str, what: str, kind: str) -> Hop:
    return Hop(
        kind=HopKind.NAME, name=host, where="cluster DNS", what=what, why=f"name of the {kind} Service {service}"
    )


def _unresolved(reason: str, hint: str) -> Resolved:
    return Resolved(end=Outcome(verdict=Verdict.UNRESOLVED, reason=reason, hint=hint))


def _unpublished(gateway: str, service: str, ports: list[ServicePort], lookup: Lookup) -> tuple[str, str]:
    """Why a gateway has no address, and what to do."""
    if not service or not ports:
        return f"No Service publishes gateway {gateway}.", "Create a Service of type LoadBalancer for its pods."
    kind = ports[0].type
    if kind == "LoadBalancer":
        reason = f"Service {service} of type LoadBalancer has no address yet."
        return reason, "See whether a load balancer controller serves its class, and read its events."
    reason = f"Service {service} of gateway {gateway} has type {kind} and no address outside the cluster."
    node = next((a for n in lookup.view.nodes for a in n.addresses), "")
    node_port = next((p.node_port for p in ports if p.node_port), 0)
    if node and node_port:
        return reason, f"Connect to a node, for example {node}:{node_port}, or make the type LoadBalancer."
    return reason, "Make its type LoadBalancer."
