"""What two rulesets of one node do differently: the same packets are asked of both.

In go our rules and those of a node as text, the view and the node's name; out come differences and findings.
Texts of unlike layout can be compared so, as what counts is what becomes of packets.
Called by ``cli``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from switchboard.base.findings import Finding
from switchboard.trace.rules.iptables import IptablesRules
from switchboard.trace.rules.nft import NftRules
from switchboard.trace.rules.packet import Host, Origin, Packet, Traced, Verdict
from switchboard.view.choice import addresses_of
from switchboard.view.model import View
from switchboard.view.node import Node
from switchboard.view.service import ServicePort

Rules = Mapping[int, NftRules | IptablesRules]
# Addresses for documentation (RFC 5737, RFC 3849) stand for clients that nobody knows.
_STRANGER = {4: "203.0.113.77", 6: "2001:db8:ffff::77"}
_SIX = re.compile(r"\b[0-9a-f]{0,4}::|/128\b")


class Probe(msgspec.Struct, frozen=True):
    """A packet to a Service; ``source`` says who sends it: pod, node, outside or allowed."""

    service: str
    source: str
    packet: Packet


class Difference(msgspec.Struct, frozen=True):
    """A packet whose end is another: what our rules do, and what the others do."""

    probe: Probe
    ours: str
    theirs: str


def read(mode: str, text: str) -> Rules:
    """Rules of ``nft list ruleset`` (mode nftables) or ``iptables-save`` (mode iptables) by family.

    A saved text is of the family of its addresses; IPv4 when it has none.
    """
    if mode == "nftables":
        rules = NftRules(text)
        return {4: rules, 6: rules}
    parts = re.split(r"(?m)^# IPv([46])\n", text)
    if len(parts) > 1:
        return {int(f): IptablesRules(t, int(f)) for f, t in zip(parts[1::2], parts[2::2], strict=True)}
    family = 6 if _SIX.search(text) else 4
    return {family: IptablesRules(text, family)}


def probes(view: View, node: Node) -> Iterator[Probe]:
    """Each address of each service port, asked by a pod, the node itself, a stranger and whoever is allowed."""
    for port in (p for p in view.services if p.proxied):
        name = f"{port.namespace}/{port.name}" + (f":{port.port_name}" if port.port_name else "")
        for address, number in _places(port, node):
            family = 6 if ":" in address else 4
            for source, sender, origin in _senders(view, node, port, family):
                packet = Packet(source=sender, destination=address, protocol=port.protocol, port=number, origin=origin)
                yield Probe(name, source, packet)


def _places(port: ServicePort, node: Node) -> Iterator[tuple[str, int]]:
    for address in dict.fromkeys((*port.cluster_ips, *port.load_balancer_ips, *port.external_ips)):
        yield address, port.port
    if port.node_port:
        for address in node.addresses:
            yield address, port.node_port


def _senders(view: View, node: Node, port: ServicePort, family: int) -> Iterator[tuple[str, str, Origin]]:
    pods = (a for p in view.pods if p.node == node.name and not p.host_network for a in p.addresses)
    ranges = addresses_of((*node.pod_cidrs, *view.network.pod_cidrs), family)
    # The last address of a range is the one least likely to be an endpoint's.
    spare = (str(ipaddress.ip_network(r)[-2]) for r in ranges if ipaddress.ip_network(r).num_addresses > 2)
    pod = next(iter((*addresses_of(pods, family)[:1], *spare)), "")
    if pod:
        yield "pod", pod, Origin.WIRE
    for own in addresses_of(node.addresses, family)[:1]:
        yield "node", own, Origin.PROCESS
    yield "outside", _STRANGER[family], Origin.WIRE
    for allowed in addresses_of(port.source_ranges, family)[:1]:
        yield "allowed", str(ipaddress.ip_network(allowed)[-1]), Origin.WIRE


def compare(
    ours: Rules, theirs: Rules, asked: Iterable[Probe], host: Host
) -> tuple[tuple[Difference, ...], tuple[Finding, ...], int]:
    """Differences, why some packets could not be compared, and how many were; families that both have."""
    differences, findings, count = [], dict[Finding, None](), 0
    for probe in asked:
        family = probe.packet.family
        if family not in ours or family not in theirs:
            continue
        mine, other = (rules[family].trace(probe.packet, host) for rules in (ours, theirs))
        findings |= dict.fromkeys((*mine.findings, *other.findings))
        if mine.findings or other.findings:
            continue
        count += 1
        here, there = say(mine), say(other)
        if here != there:
            differences.append(Difference(probe, here, there))
    return tuple(differences), tuple(findings), count


def say(traced: Traced) -> str:
    """All outcomes in one line: ``10.0.0.1:80 50.0000 %, 10.0.0.2:80 50.0000 % masqueraded``."""
    said = []
    for o in sorted(traced.outcomes, key=lambda o: (o.verdict, o.endpoint, o.masquerade)):
        what = o.endpoint if o.verdict is Verdict.TRANSLATED else str(o.verdict)
        share = "" if o.probability == 1 else f" {float(o.probability):.4%}".replace("%", " %")
        said.append(f"{what}{share}{' masqueraded' if o.masquerade else ''}")
    return ", ".join(said)
