"""What policies do to the connections of a path: one hop that says so, and the ends of those that are dropped.

Comes in: the ends of a connection as policies see them, after all translation of the destination.
Goes out: a judgement, and a hop and outcomes made of judgements.  Called by ``trace.path``.
Specification: ``view.policy_decision``.  A client whose address is not known is taken for one with a public address;
when policies tell such addresses apart, nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from ipaddress import ip_address, ip_network

import msgspec

from switchboard.trace.lookup import Lookup
from switchboard.trace.result import ONE, Hop, HopKind, Outcome, Verdict, shares
from switchboard.view.choice import addresses_of, family_of
from switchboard.view.node import Node, Pod
from switchboard.view.policy import AddressPeer, Direction, Tier
from switchboard.view.policy_decision import Decision, End, Ruling
from switchboard.view.service import Endpoint

# Where no client of the internet is: RFC 1122, 1918, 3927, 6598, 5771; RFC 4193, 4291.
_NOT_PUBLIC = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    *("224.0.0.0/3", "::/8", "fc00::/7", "fe80::/10", "ff00::/8"),
)
_MOST = 3
_FIRST = {4: "0.0.0.0", 6: "::"}


class Judgement(msgspec.Struct, frozen=True):
    """About one connection to a pod: ``allowed`` is None when the client's address would decide and is not known."""

    target: str
    allowed: bool | None
    policies: tuple[str, ...]
    why: str

    def end(self, probability: Fraction) -> Outcome:
        """How the connection ends when it is not allowed."""
        if self.allowed is None:
            return Outcome(
                verdict=Verdict.UNKNOWN, probability=probability, reason=self.why, hint="Name the client's address."
            )
        hint = f"Let a policy about both ends allow it, or ask who wrote {', '.join(self.policies)}."
        return Outcome(verdict=Verdict.DROPPED, probability=probability, reason=self.why, hint=hint)


def judge(
    lookup: Lookup, source: Pod | str, endpoint: Endpoint, protocol: str, *, via: Node | None = None
) -> Judgement:
    """A new connection of a pod or an outside address (empty: unknown) to an endpoint.

    ``via`` is the node whose address replaces the source's on the way, so that the destination sees that.
    """
    index = lookup.policies
    if not lookup.view.policies:
        return Judgement(endpoint.pod or endpoint.address, True, (), "There are no policies.")
    family = family_of(endpoint.address)
    target = index.end(endpoint.address) or End(endpoint.address)
    name = endpoint.pod or endpoint.address
    first = index.end(source.key, family) if isinstance(source, Pod) else index.end(source) if source else None
    seen = first
    if via is not None and target.pod is not None and target.pod.node != via.name:
        seen = End(next(iter(addresses_of(via.addresses, family)), ""), None, via)
    if seen is None:
        return _unknown_client(lookup, target, endpoint, protocol, name)
    came = index.decide(seen, target, protocol, endpoint.port, through_service=True).ingress
    allowed = Ruling(True, "")
    went = index.decide(first, target, protocol, endpoint.port, through_service=True).egress if first else allowed
    return _judgement(name, Decision(went, came))


def _judgement(name: str, decision: Decision) -> Judgement:
    return Judgement(name, decision.allowed, decision.policies, decision.why)


def _unknown_client(lookup: Lookup, target: End, endpoint: Endpoint, protocol: str, name: str) -> Judgement:
    found: dict[bool, Judgement] = {}
    for address in _public(lookup, target):
        source = lookup.policies.end(address)
        if source and not source.pod and not source.node:
            decision = lookup.policies.decide(source, target, protocol, endpoint.port)
            found.setdefault(decision.allowed, _judgement(name, decision))
    if len(found) == 1:
        return next(iter(found.values()))
    policies = tuple(p for each in found.values() for p in each.policies)
    why = f"Whether {name} may be reached depends on the client's address, which is not known."
    return Judgement(name, None, tuple(dict.fromkeys(policies)), why)


def _public(lookup: Lookup, target: End) -> Iterator[str]:
    """An address of every range whose addresses the policies about a pod treat alike, as far as it is public."""
    family = family_of(target.address)
    about = (
        (p for tier in Tier for p in lookup.policies.policies(target.pod, Direction.INGRESS, tier))
        if target.pod
        else ()
    )
    blocks = (b for p in about for r in p.ingress or () for b in r.peers or () if isinstance(b, AddressPeer))
    written = [c for b in blocks for c in (b.cidr, *b.excluded)]
    shut = [ip_network(c) for c in addresses_of((*_NOT_PUBLIC, *lookup.view.network.pod_cidrs), family)]
    borders = {ip_address(_FIRST[family])}
    for network in (*map(ip_network, addresses_of(written, family)), *shut):
        borders.add(network.network_address)
        if int(network.broadcast_address) + 1 < 2**network.max_prefixlen:
            borders.add(network.broadcast_address + 1)
    for address in sorted(borders, key=int):
        if not any(address in network for network in shut):
            yield str(address)


def policy_hop(judged: Iterable[tuple[Judgement, Fraction]], where: str = "") -> Hop | None:
    """The station of the policies, None when none had a say; the shares are those of all connections that come here."""
    found = [(j, p) for j, p in judged if p]
    names = tuple(dict.fromkeys(name for j, _ in found for name in j.policies))
    if not names:
        return None
    total = sum((p for _, p in found), Fraction(0))
    words = {True: "allowed", False: "dropped", None: "not known"}
    parts = shares((words[j.allowed], p / total) for j, p in found)
    told = next((j for j, _ in found if not j.allowed), found[0][0])
    return Hop(
        kind=HopKind.POLICY,
        name=", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else ""),
        where=where,
        what=parts[0].name if parts[0].probability == ONE else "not all connections are allowed",
        why=told.why,
        choices=parts if len(parts) > 1 else (),
    )
