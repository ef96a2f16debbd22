"""ClusterNetworkPolicies become neutral facts.

In goes one object; out comes a ``Policy`` of the Admin or the Baseline tier, or None when its subject, tier or
priority cannot be read.  A peer or port that cannot be read matches nothing.
Called by ``view.build.policies``.
Specification: policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy.
"""

from __future__ import annotations

from typing import Any

from switchboard.k8s.objects import Object, mapping, name, sequence, spec, text
from switchboard.view.build.selectors import Faults, address_peer, is_port, selector
from switchboard.view.policy import (
    Action,
    Direction,
    NodePeer,
    Peer,
    PodPeer,
    Policy,
    PolicyPort,
    PolicyRule,
    Tier,
)

_HIGHEST_PRIORITY = 1000
_TIERS = {"Admin": Tier.ADMIN, "Baseline": Tier.BASELINE}
_PROTOCOLS = ("tcp", "udp", "sctp")


def cluster_policy(obj: Object, faults: Faults) -> Policy | None:
    """The policy with the rules of both directions in their order."""
    body = spec(obj)
    tier, priority = body.get("tier"), body.get("priority")
    if not isinstance(tier, str) or tier not in _TIERS:
        faults.tell("spec.tier", f"{tier!r} is no tier, so the policy is left out.", "Admin or Baseline.")
        return None
    if not isinstance(priority, int) or isinstance(priority, bool) or not 0 <= priority <= _HIGHEST_PRIORITY:
        faults.tell("spec.priority", f"{priority!r} is not a priority from 0 to 1000, so the policy is left out.")
        return None
    subject = _pods(mapping(body.get("subject")), "spec.subject", faults)
    if subject is None:
        return None
    return Policy(
        name=name(obj),
        tier=_TIERS[tier],
        priority=priority,
        subject=subject,
        ingress=_rules(body, Direction.INGRESS, faults),
        egress=_rules(body, Direction.EGRESS, faults),
    )


def _pods(given: dict[str, Any], field: str, faults: Faults) -> PodPeer | None:
    """What ``namespaces`` or ``pods`` selects."""
    if "namespaces" in given and given["namespaces"] is not None:
        spaces = selector(given["namespaces"], f"{field}.namespaces", faults)
        return None if spaces is None else PodPeer("", spaces, ())
    if isinstance(given.get("pods"), dict):
        both = given["pods"]
        spaces = selector(both.get("namespaceSelector"), f"{field}.pods.namespaceSelector", faults)
        pods = selector(both.get("podSelector"), f"{field}.pods.podSelector", faults)
        return None if spaces is None or pods is None else PodPeer("", spaces, pods)
    faults.tell(field, "Nothing is selected here.", "Write `namespaces` or `pods`.")
    return None


def _rules(body: dict[str, Any], direction: Direction, faults: Faults) -> tuple[PolicyRule, ...] | None:
    """The rules of one direction, None without any: such a policy is not about it."""
    peers = "from" if direction is Direction.INGRESS else "to"
    found = []
    for index, given in enumerate(sequence(body.get(direction.value))):
        field = f"spec.{direction}[{index}]"
        rule = mapping(given)
        action = text(rule.get("action"))
        if action not in set(Action):
            faults.tell(f"{field}.action", f"{rule.get('action')!r} is no action, so the rule is left out.")
            continue
        read = [p for i, p in enumerate(sequence(rule.get(peers))) for p in _peer(p, f"{field}.{peers}[{i}]", faults)]
        written = rule.get("protocols")
        ports = [_port(mapping(p), f"{field}.protocols[{i}]", faults) for i, p in enumerate(sequence(written))]
        found.append(
            PolicyRule(
                field=field,
                action=Action(action),
                peers=tuple(dict.fromkeys(read)),
                ports=tuple(dict.fromkeys(p for p in ports if p is not None)) if written else None,
            )
        )
    return tuple(found) or None


def _peer(given: object, field: str, faults: Faults) -> tuple[Peer, ...]:
    peer = mapping(given)
    if "networks" in peer:
        blocks = enumerate(sequence(peer["networks"]))
        found = (address_peer({"cidr": cidr}, f"{field}.networks[{i}]", faults) for i, cidr in blocks)
        return tuple(block for block in found if block is not None)
    if peer.get("nodes") is not None:
        nodes = selector(peer["nodes"], f"{field}.nodes", faults)
        return () if nodes is None else (NodePeer(nodes),)
    pods = _pods(peer, field, faults)
    return () if pods is None else (pods,)


def _port(given: dict[str, Any], field: str, faults: Faults) -> PolicyPort | None:
    named = given.get("destinationNamedPort")
    if isinstance(named, str) and named:
        return PolicyPort("", name=named)
    for protocol in _PROTOCOLS:
        if isinstance(given.get(protocol), dict):
            wanted = given[protocol].get("destinationPort")
            if wanted is None:
                return PolicyPort(protocol.upper())
            body = mapping(wanted)
            within = mapping(body.get("range"))
            first, last = (within.get("start"), within.get("end")) if within else (body.get("number"),) * 2
            if is_port(first) and is_port(last) and first <= last:
                return PolicyPort(protocol.upper(), first, last)
    faults.tell(field, f"{given!r} is no protocol with a port.", "tcp, udp, sctp or destinationNamedPort.")
    return None
