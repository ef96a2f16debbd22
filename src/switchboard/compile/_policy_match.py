"""What a rule of a policy matches, as nftables matches and the sets that they look into.

In go neutral rules and one family; out come matches, and sets by name, which equal peers share.
A set of pods or nodes is named for what selects them: when somebody joins or leaves, only an element changes.
Called by ``compile.policy``.
Specification: nft(8) of nftables 1.0.6.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Iterable, Iterator

from switchboard.compile.modes._nft_frame import Words, any_of
from switchboard.rules.nft import Set
from switchboard.rules.nft_statement import Match
from switchboard.view.choice import addresses_of, family_of
from switchboard.view.node import Pod
from switchboard.view.policy import (
    AddressPeer,
    Direction,
    NodePeer,
    Peer,
    PodPeer,
    PolicyPort,
    PolicyRule,
    Selector,
    selects,
)
from switchboard.view.policy_decision import PolicyIndex

ADDRESS_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}
_Matches = tuple[Match, ...]
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_LONGEST_NAME = 200
_LONGEST_COMMENT = 120
_DIGEST = 20
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9/_.-]")
_NOT_IN_COMMENTS = re.compile(r'[^ -~]|["\\]')


class Matcher:
    """Makes matches of one family, and collects the sets that they need.

    ``local`` are the pods of the node, whose names of ports decide for ingress; for egress those of all pods do.
    """

    def __init__(self, index: PolicyIndex, words: Words, local: tuple[Pod, ...]) -> None:
        self.sets: dict[str, Set] = {}
        self._index = index
        self._words = words
        self._address = ADDRESS_TYPE[words.family]
        self._local = local

    def matches(self, rule: PolicyRule, direction: Direction) -> Iterator[_Matches]:
        """The alternatives of a rule, each a conjunction; none when nothing of this family can match."""
        expression = self._words.saddr if direction is Direction.INGRESS else self._words.daddr
        peers = [()] if rule.peers is None else [m for p in rule.peers for m in self._peer(expression, p)]
        ports = [()] if rule.ports is None else list(self._ports(rule.ports, direction))
        for peer in dict.fromkeys(peers):
            for port in ports:
                yield (*peer, *port)

    def _peer(self, expression: str, peer: Peer) -> Iterator[_Matches]:
        match peer:
            case PodPeer():
                name = named("pods", text(peer))
                if name not in self.sets:
                    picked = self._index.picked(peer).values()
                    self._put(name, (a for p in picked for a in p.addresses), text(peer))
                yield (any_of(expression, [f"@{name}"]),)
            case NodePeer():
                name = named("nodes", _selector(peer.nodes))
                if name not in self.sets:
                    nodes = (n for n in self._index.view.nodes if selects(peer.nodes, n.labels))
                    self._put(name, (a for n in nodes for a in n.addresses), f"nodes {_selector(peer.nodes)}")
                yield (any_of(expression, [f"@{name}"]),)
            case AddressPeer() if family_of(peer.cidr) == self._words.family:
                yield from self._addresses(expression, peer)

    def _put(self, name: str, addresses: Iterable[str], said: str) -> None:
        found = dict.fromkeys(addresses_of(addresses, self._words.family), "")
        self.sets[name] = Set(key=self._address, elements=found, comment=comment([said]))

    def _addresses(self, expression: str, peer: AddressPeer) -> Iterator[_Matches]:
        found = remaining(peer)
        if ipaddress.ip_network(peer.cidr).prefixlen == 0 and not peer.excluded:
            yield ()
        elif found:
            written = " ".join((peer.cidr, *(f"-{e}" for e in peer.excluded)))
            name = named("addresses", written)
            self.sets[name] = Set(key=self._address, flags=("interval",), elements=dict.fromkeys(found, ""))
            yield (any_of(expression, [f"@{name}"]),)

    def _ports(self, ports: tuple[PolicyPort, ...], direction: Direction) -> Iterator[_Matches]:
        for protocol in dict.fromkeys(p.protocol for p in ports if not p.name):
            numbers = [p for p in ports if p.protocol == protocol and not p.name]
            if any(p.every for p in numbers):
                yield (any_of("meta l4proto", [protocol.lower()]),)
            else:
                yield (any_of(f"{protocol.lower()} dport", ranges(numbers)),)
        for port in ports:
            if port.name:
                yield (Match((self._words.daddr, "meta l4proto", "th dport"), (f"@{self._named(port, direction)}",)),)

    def _named(self, port: PolicyPort, direction: Direction) -> str:
        """The set of the addresses and numbers that have this name; pods of a rollout may number it differently."""
        name = named(f"{direction}-port", f"{port.protocol} {port.name}")
        if name not in self.sets:
            pods = self._local if direction is Direction.INGRESS else self._index.subjects
            elements = {
                f"{address} . {p.protocol.lower()} . {p.number}": ""
                for pod in pods
                for p in pod.ports
                if p.name == port.name and port.protocol in ("", p.protocol)
                for address in addresses_of(pod.addresses, self._words.family)
            }
            key = f"{self._address} . inet_proto . inet_service"
            self.sets[name] = Set(key=key, elements=elements, comment=comment([f"port {port.name} {port.protocol}"]))
        return name


def named(kind: str, content: str, *, readable: str = "") -> str:
    """``pods-7XQ3M2AB…``: a name that equal contents share.

    It has 100 bits of a hash, so that nobody finds labels whose set has the name of somebody else's.
    """
    digest = base64.b32encode(hashlib.sha256(content.encode()).digest()).decode()[:_DIGEST]
    name = "-".join(filter(None, (kind, digest, _NOT_IN_NAMES.sub("-", readable))))
    return name[:_LONGEST_NAME]


def comment(parts: Iterable[str]) -> str:
    """A comment of at most the kernel's length, without what would end it."""
    return _NOT_IN_COMMENTS.sub("?", ", ".join(parts).strip())[:_LONGEST_COMMENT]


def text(peer: PodPeer) -> str:
    """What selects the pods, in words; equal for equal selections only."""
    space = f"namespace {peer.namespace}" if peer.namespace else f"namespaces {_selector(peer.namespaces)}"
    return f"pods {_selector(peer.pods)} in {space}"


def _selector(selector: Selector) -> str:
    return ", ".join(map(str, selector)) or "all"


def remaining(peer: AddressPeer) -> tuple[str, ...]:
    """The CIDRs that are left of a block without its exceptions, as nft prints them: sorted, without overlap."""
    left = [ipaddress.ip_network(peer.cidr)]
    for hole in map(ipaddress.ip_network, peer.excluded):
        left = [part for each in left for part in _without(each, hole)]
    alone = f"/{left[0].max_prefixlen}" if left else ""
    return tuple(str(n).removesuffix(alone) for n in sorted(left, key=lambda n: int(n.network_address)))


def _without(whole: _Network, hole: _Network) -> Iterable[_Network]:
    if not whole.overlaps(hole):
        return (whole,)
    # One of two CIDRs that overlap contains the other one.
    if hole.prefixlen <= whole.prefixlen:
        return ()
    if isinstance(whole, ipaddress.IPv4Network) and isinstance(hole, ipaddress.IPv4Network):
        return whole.address_exclude(hole)
    if isinstance(whole, ipaddress.IPv6Network) and isinstance(hole, ipaddress.IPv6Network):
        return whole.address_exclude(hole)
    return (whole,)


def ranges(ports: Iterable[PolicyPort]) -> tuple[str, ...]:
    """The numbers of ports of one protocol, joined where they overlap or touch: ``80``, ``5000-5999``."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted((p.first, p.last) for p in ports):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return tuple(str(a) if a == b else f"{a}-{b}" for a, b in joined)
