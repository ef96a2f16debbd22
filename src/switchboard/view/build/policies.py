"""Namespaces and policies become neutral facts, with the defaults of the API server.

In go objects by kind, not necessarily defaulted; out come facts sorted by name, and findings.
What the API server would refuse never opens a door: a peer or port with a fault matches nothing.
A policy whose subject cannot be read is left out, since the API server would not have it.
Called by ``view.build``.
Specification: networking.k8s.io/v1 NetworkPolicy of Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from switchboard.base.findings import Finding
from switchboard.k8s import names
from switchboard.k8s.objects import Object, key, labels, mapping, name, namespace, sequence, spec
from switchboard.view.build.cluster_policies import cluster_policy
from switchboard.view.build.selectors import Faults, address_peer, is_port, selector
from switchboard.view.policy import Direction, Namespace, Peer, PodPeer, Policy, PolicyPort, PolicyRule

_TYPES = ("Ingress", "Egress")
_PROTOCOLS = ("TCP", "UDP", "SCTP")


def build(
    objects: Mapping[str, Sequence[Object]],
) -> tuple[tuple[Namespace, ...], tuple[Policy, ...], tuple[Finding, ...]]:
    """Reads kinds ``Namespace``, ``NetworkPolicy`` and ``ClusterNetworkPolicy``.

    A namespace that is only named by objects in it exists too, with nothing but the label of its name.
    """
    findings: list[Finding] = []
    spaces = {n: Namespace(n, {names.NAMESPACE_NAME_LABEL: n}) for n in _named(objects)}
    for space in _objects(objects, "Namespace"):
        marked = {k: v for k, v in labels(space).items() if isinstance(k, str) and isinstance(v, str)}
        spaces[name(space)] = Namespace(name(space), marked | {names.NAMESPACE_NAME_LABEL: name(space)})
    policies: dict[str, Policy] = {}
    for kind, read in (("NetworkPolicy", _network_policy), ("ClusterNetworkPolicy", cluster_policy)):
        for obj in _objects(objects, kind):
            found = read(obj, Faults({**obj, "kind": kind}, findings))
            if found is not None:
                policies.setdefault(found.key, found)
    return tuple(spaces[n] for n in sorted(spaces)), tuple(policies[k] for k in sorted(policies)), tuple(findings)


def _objects(objects: Mapping[str, Sequence[Object]], kind: str) -> list[Object]:
    return sorted((o for o in objects.get(kind, ()) if isinstance(o, dict) and name(o)), key=key)


def _named(objects: Mapping[str, Sequence[Object]]) -> set[str]:
    kinds = ("Pod", "NetworkPolicy")
    return {namespace(o) for kind in kinds for o in objects.get(kind, ()) if isinstance(o, dict) and namespace(o)}


def _network_policy(obj: Object, faults: Faults) -> Policy | None:
    body = spec(obj)
    pods = selector(body.get("podSelector"), "spec.podSelector", faults)
    if pods is None or not namespace(obj):
        return None
    wanted = sequence(body.get("policyTypes"))
    for index, each in enumerate(wanted):
        if each not in _TYPES:
            faults.tell(
                f"spec.policyTypes[{index}]", f"{each!r} is no policy type and is ignored.", "Ingress or Egress."
            )
    if not wanted:
        # An empty list of egress rules is no egress section, while every policy is about ingress by default.
        wanted = ["Ingress", "Egress"] if sequence(body.get("egress")) else ["Ingress"]
    return Policy(
        name=name(obj),
        namespace=namespace(obj),
        subject=PodPeer(namespace(obj), (), pods),
        ingress=_rules(body, Direction.INGRESS, namespace(obj), faults) if "Ingress" in wanted else None,
        egress=_rules(body, Direction.EGRESS, namespace(obj), faults) if "Egress" in wanted else None,
    )


def _rules(body: dict[str, Any], direction: Direction, space: str, faults: Faults) -> tuple[PolicyRule, ...]:
    peers = "from" if direction is Direction.INGRESS else "to"
    found = []
    for index, given in enumerate(sequence(body.get(direction.value))):
        field = f"spec.{direction}[{index}]"
        if not isinstance(given, dict):
            faults.tell(field, f"{given!r} is not a rule, so it allows nothing.")
            continue
        from_, ports = given.get(peers), given.get("ports")
        found.append(
            PolicyRule(
                field=field,
                peers=_peers(from_, f"{field}.{peers}", space, faults) if from_ else None,
                ports=_ports(ports, f"{field}.ports", faults) if ports else None,
            )
        )
    return tuple(found)


def _peers(given: object, field: str, space: str, faults: Faults) -> tuple[Peer, ...]:
    if not isinstance(given, list):
        faults.tell(field, f"{given!r} is not a list of peers, so the rule allows nothing.")
    found = (_peer(mapping(peer), f"{field}[{i}]", space, faults) for i, peer in enumerate(sequence(given)))
    return tuple(dict.fromkeys(peer for peer in found if peer is not None))


def _peer(peer: dict[str, Any], field: str, space: str, faults: Faults) -> Peer | None:
    block, pods, spaces = (peer.get(part) for part in ("ipBlock", "podSelector", "namespaceSelector"))
    if block is not None:
        if pods is not None or spaces is not None:
            message = "A peer has `ipBlock` and selectors at once, so it matches nothing."
            faults.tell(field, message, "Make two entries of it.")
            return None
        return address_peer(block, f"{field}.ipBlock", faults)
    if pods is None and spaces is None:
        hint = "Write `podSelector`, `namespaceSelector` or `ipBlock`; leave the list out to mean everybody."
        faults.tell(field, "A peer that names nobody matches nothing.", hint)
        return None
    wanted = selector(pods, f"{field}.podSelector", faults)
    within = selector(spaces, f"{field}.namespaceSelector", faults)
    if wanted is None or within is None:
        return None
    return PodPeer(space if spaces is None else "", within, wanted)


def _ports(given: object, field: str, faults: Faults) -> tuple[PolicyPort, ...]:
    if not isinstance(given, list):
        faults.tell(field, f"{given!r} is not a list of ports, so the rule allows nothing.")
    found = (_port(mapping(port), f"{field}[{i}]", faults) for i, port in enumerate(sequence(given)))
    return tuple(dict.fromkeys(port for port in found if port is not None))


def _port(port: dict[str, Any], field: str, faults: Faults) -> PolicyPort | None:
    protocol, number, end = port.get("protocol"), port.get("port"), port.get("endPort")
    protocol = "TCP" if protocol is None else protocol
    if protocol not in _PROTOCOLS:
        faults.tell(
            f"{field}.protocol", f"{protocol!r} is no protocol, so the port matches nothing.", "TCP, UDP or SCTP."
        )
        return None
    if number is None and end is None:
        return PolicyPort(protocol)
    if isinstance(number, str) and number and end is None:
        return PolicyPort(protocol, name=number)
    last = number if end is None else end
    if is_port(number) and is_port(last) and number <= last:
        return PolicyPort(protocol, number, last)
    written = f"{number!r}" if end is None else f"{number!r} to {end!r}"
    faults.tell(field, f"{written} is no port or range of ports, so it matches nothing.")
    return None
