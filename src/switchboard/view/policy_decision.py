"""Whether policies allow a connection, and which of them decide.

In go a ``View`` and the two ends of a connection, after all translation of addresses; out comes a ``Decision``.
Called by ``trace`` and reports; ``compile.policy`` uses the same ``PolicyIndex`` and is tested against ``decide``.
Specification: NetworkPolicy v1 and ClusterNetworkPolicy v1alpha2.  Where they leave room: pods in the host's network
are their node and no subject of policies, and a pod and its own node always reach each other.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

import msgspec

from switchboard.view.choice import addresses_of, family_of
from switchboard.view.model import View
from switchboard.view.node import Node, Pod
from switchboard.view.policy import (
    Action,
    AddressPeer,
    Direction,
    NodePeer,
    Peer,
    PodPeer,
    Policy,
    PolicyPort,
    PolicyRule,
    Tier,
    selects,
)

_ORDERED_TIERS = (Tier.ADMIN, Tier.BASELINE)


class End(msgspec.Struct, frozen=True):
    """One end of a connection: an address, and the pod or the node that has it.

    A pod in the host's network is no pod here: its end is its node's.
    """

    address: str
    pod: Pod | None = None
    node: Node | None = None

    def __str__(self) -> str:
        if self.pod:
            return f"pod {self.pod.key}"
        return f"node {self.node.name}" if self.node else self.address


class Ruling(msgspec.Struct, frozen=True):
    """What the policies about one pod say in one direction; ``policies`` are the keys of those that decided.

    ``field`` is the rule (``spec.ingress[0]``) of the one policy that matched, empty when none did.
    """

    allowed: bool
    why: str
    policies: tuple[str, ...] = ()
    field: str = ""


class Decision(msgspec.Struct, frozen=True):
    """Whether a new connection is allowed: both directions must allow it."""

    egress: Ruling
    ingress: Ruling

    @property
    def allowed(self) -> bool:
        """Whether it is."""
        return self.egress.allowed and self.ingress.allowed

    @property
    def policies(self) -> tuple[str, ...]:
        """The policies that decided: all of them when it is allowed, otherwise those that deny."""
        rulings = (self.egress, self.ingress)
        found = (p for r in rulings if self.allowed or not r.allowed for p in r.policies)
        return tuple(dict.fromkeys(found))

    @property
    def why(self) -> str:
        """One sentence for each direction, or the one that denies."""
        if not self.egress.allowed:
            return self.egress.why
        return f"{self.egress.why} {self.ingress.why}" if self.ingress.allowed else self.ingress.why


class PolicyIndex:
    """A view prepared for many questions about policies; what is found out about a pod is kept."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.namespaces = {n.name: n.labels for n in view.namespaces}
        self.pods = {p.key: p for p in view.pods}
        self.subjects = tuple(p for p in view.pods if not p.host_network)
        self._residents: dict[str, list[Pod]] = {}
        for pod in self.subjects:
            self._residents.setdefault(pod.namespace, []).append(pod)
        self._pod_addresses = {a: p for p in reversed(self.subjects) for a in p.addresses}
        self._node_addresses = {a: n for n in reversed(view.nodes) for a in n.addresses}
        self._nodes = {n.name: n for n in view.nodes}
        # The order of evaluation within a tier; equal priorities are decided by name, so that every node agrees.
        self._speaking: dict[tuple[Direction, Tier, str], list[Policy]] = {}
        for policy in sorted(view.policies, key=lambda p: (p.priority, p.key)):
            for direction in Direction:
                if policy.rules(direction) is not None:
                    self._speaking.setdefault((direction, policy.tier, policy.namespace), []).append(policy)
        self._about: dict[tuple[str, Direction, Tier], tuple[Policy, ...]] = {}
        self._picked: dict[PodPeer, dict[str, Pod]] = {}

    def end(self, name: str, family: int = 0) -> End | None:
        """The end that ``namespace/name`` or an address stands for; None for what is neither, or has no address."""
        if "/" not in name:
            return self._at(name)
        pod = self.pods.get(name)
        found = addresses_of(pod.addresses, family) if pod and family else pod.addresses if pod else ()
        if pod is None or not found:
            return None
        if pod.host_network:
            return End(found[0], None, self._nodes.get(pod.node) or Node(name=pod.node, addresses=pod.addresses))
        return End(found[0], pod)

    def _at(self, text: str) -> End | None:
        try:
            address = str(_address(text))
        except ValueError:
            return None
        return End(address, self._pod_addresses.get(address), self._node_addresses.get(address))

    def policies(self, pod: Pod, direction: Direction, tier: Tier) -> tuple[Policy, ...]:
        """The policies of a tier that are about a pod in a direction, in the order of their evaluation."""
        key = (pod.key, direction, tier)
        found = self._about.get(key)
        if found is None:
            space = pod.namespace if tier is Tier.NETWORK_POLICY else ""
            about = self._speaking.get((direction, tier, space), ())
            found = self._about[key] = tuple(p for p in about if self.picks(p.subject, pod))
        return found

    def picks(self, peer: PodPeer, pod: Pod) -> bool:
        """Whether a selection includes a pod; it never includes one in the host's network."""
        return pod.key in self.picked(peer)

    def picked(self, peer: PodPeer) -> dict[str, Pod]:
        """The pods that a selection includes, by key."""
        found = self._picked.get(peer)
        if found is None:
            spaces = (peer.namespace,) if peer.namespace else tuple(self._residents)
            within = (s for s in spaces if selects(peer.namespaces, self.namespaces.get(s, {})))
            residents = (p for s in within for p in self._residents.get(s, ()))
            found = self._picked[peer] = {p.key: p for p in residents if selects(peer.pods, p.labels)}
        return found

    def decide(
        self, source: End, destination: End, protocol: str, port: int, *, through_service: bool = False
    ) -> Decision:
        """Whether a new connection is allowed.

        ``port`` is the port of the destination pod.  ``through_service`` matters for a pod that connects to itself:
        then the packet leaves the pod, and ClusterNetworkPolicies see it.
        """
        itself = source.pod is not None and source.pod == destination.pod
        if itself and not through_service:
            always = Ruling(True, "A pod always reaches itself.")
            return Decision(always, always)
        rulings = {}
        for direction, subject, peer in (
            (Direction.EGRESS, source, destination),
            (Direction.INGRESS, destination, source),
        ):
            if subject.pod is None:
                ruling = Ruling(True, f"No policy is about {subject}.")
            elif peer.node is not None and peer.node.name == subject.pod.node:
                ruling = Ruling(True, "A pod and its own node always reach each other.")
            else:
                ruling = self._direction(direction, subject.pod, _Packet(peer, destination, protocol, port, itself))
            rulings[direction] = ruling
        return Decision(rulings[Direction.EGRESS], rulings[Direction.INGRESS])

    def _direction(self, direction: Direction, pod: Pod, packet: _Packet) -> Ruling:
        for tier in _ORDERED_TIERS:
            for policy in self.policies(pod, direction, tier):
                rule = self._first(policy.rules(direction) or (), packet)
                if rule is None:
                    continue
                if rule.action is Action.PASS:
                    break
                allowed = rule.action is Action.ACCEPT
                why = f"{policy.key} {'accepts' if allowed else 'denies'} it in {rule.field}."
                return Ruling(allowed, why, (policy.key,), rule.field)
            if tier is Tier.ADMIN and (isolating := self.policies(pod, direction, Tier.NETWORK_POLICY)):
                return self._isolated(direction, pod, isolating, packet)
        return Ruling(True, f"No policy restricts {direction} of pod {pod.key}.")

    def _isolated(self, direction: Direction, pod: Pod, isolating: tuple[Policy, ...], packet: _Packet) -> Ruling:
        if packet.itself:
            return Ruling(True, "A pod always reaches itself.")
        for policy in isolating:
            rule = self._first(policy.rules(direction) or (), packet)
            if rule is not None:
                return Ruling(True, f"{policy.key} allows it in {rule.field}.", (policy.key,), rule.field)
        keys = tuple(p.key for p in isolating)
        why = f"{', '.join(keys)} {'isolates' if len(keys) == 1 else 'isolate'} pod {pod.key} for {direction}"
        return Ruling(False, f"{why}, and no rule allows it.", keys)

    def _first(self, rules: tuple[PolicyRule, ...], packet: _Packet) -> PolicyRule | None:
        return next((r for r in rules if self._matches(r, packet)), None)

    def _matches(self, rule: PolicyRule, packet: _Packet) -> bool:
        if rule.peers is not None and not any(self._peer(p, packet.peer) for p in rule.peers):
            return False
        return rule.ports is None or any(_port(p, packet) for p in rule.ports)

    def _peer(self, peer: Peer, end: End) -> bool:
        match peer:
            case PodPeer():
                return end.pod is not None and self.picks(peer, end.pod)
            case AddressPeer():
                return within(peer, end.address)
            case NodePeer():
                return end.node is not None and selects(peer.nodes, end.node.labels)


class _Packet(msgspec.Struct, frozen=True):
    """The first packet of a connection, seen from one of its ends."""

    peer: End
    destination: End
    protocol: str
    port: int
    itself: bool


def decide(view: View, source: str, destination: str, protocol: str, port: int) -> Decision | None:
    """One question about a view: the ends are ``namespace/name`` of a pod, or addresses.

    Of pods with both families the first one that the ends share counts.
    None when an end is not in the view or when they share no family.
    """
    index = PolicyIndex(view)
    for family in (4, 6):
        ends = (index.end(source, family), index.end(destination, family))
        if ends[0] and ends[1] and family_of(ends[0].address) == family_of(ends[1].address):
            return index.decide(ends[0], ends[1], protocol, port)
    return None


def within(peer: AddressPeer, address: str) -> bool:
    """Whether an address is in the CIDR and in none of the excluded ones."""
    found = _address(address)
    return found in _network(peer.cidr) and not any(found in _network(e) for e in peer.excluded)


@lru_cache(maxsize=65536)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


@lru_cache(maxsize=65536)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text)


def _port(port: PolicyPort, packet: _Packet) -> bool:
    if not port.name:
        return port.protocol == packet.protocol and port.first <= packet.port <= port.last
    # Only a pod gives names to ports; an address or a node has none.
    declared = packet.destination.pod.ports if packet.destination.pod else ()
    return port.protocol in ("", packet.protocol) and any(
        (p.name, p.number, p.protocol) == (port.name, packet.port, packet.protocol) for p in declared
    )
