"""The part of a node's nftables table that does not depend on Services: hooks, checks, dispatch, masquerade.

In go a family, the node and the settings; out come chains and the definitions of sets.
Called by ``compile.modes.nftables``.
Specification: section 2 of the behaviour list (layout of the table of kube-proxy 1.36), K41 to K54, K73 to K78.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import msgspec

from switchboard.base.findings import Finding, Severity
from switchboard.compile.modes._mode import DetectLocal, ProxyOptions
from switchboard.compile.node_ports import accepting, limits
from switchboard.rules.nft import Chain, Hook, Rule, Set
from switchboard.rules.nft_statement import (
    Action,
    Dnat,
    Masquerade,
    Match,
    Reject,
    SetMark,
    Statement,
    Verdict,
    VerdictMap,
)
from switchboard.view.choice import addresses_of
from switchboard.view.model import View
from switchboard.view.node import Node

_LOOPBACK = {4: "127.0.0.0/8", 6: "::1"}
_ADDRESS_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}
_NEW = Match(("ct state",), ("new",))
REJECT_CHAIN = "reject-chain"
DROP = Verdict(Action.DROP)


class Words(msgspec.Struct, frozen=True):
    """The words of one family (4 or 6): expressions and keys."""

    family: int

    @property
    def table(self) -> str:
        """``ip`` or ``ip6``, the table's family."""
        return "ip" if self.family == 4 else "ip6"

    @property
    def saddr(self) -> str:
        """The source address."""
        return f"{self.table} saddr"

    @property
    def daddr(self) -> str:
        """The destination address."""
        return f"{self.table} daddr"

    @property
    def service(self) -> tuple[str, str, str]:
        """The key of everything that has an address of its own."""
        return self.daddr, "meta l4proto", "th dport"

    @property
    def node_port(self) -> tuple[str, str]:
        """The key of NodePorts."""
        return "meta l4proto", "th dport"


def rule(*statements: Statement, comment: str = "") -> Rule:
    """A rule of these statements."""
    return Rule(statements, comment)


def chain(*rules: Rule, hook: Hook | None = None, comment: str = "") -> Chain:
    """A chain of these rules."""
    return Chain(rules, hook, comment)


def goto(name: str) -> Verdict:
    """Go to a chain, and do not come back to this one."""
    return Verdict(Action.GOTO, name)


def jump(name: str) -> Verdict:
    """Go to a chain and come back at its end."""
    return Verdict(Action.JUMP, name)


def any_of(expression: str, values: Iterable[str], *, negate: bool = False) -> Match:
    """The expression is (not) one of the values."""
    return Match((expression,), tuple(values), negate)


def collapsed(family: int, ranges: Iterable[str]) -> tuple[str, ...]:
    """The ranges and addresses of one family without overlap, which anonymous sets do not allow, as nft prints them."""
    mine = addresses_of(ranges, family)
    if family == 4:
        joined: Iterable[object] = ipaddress.collapse_addresses(ipaddress.IPv4Network(r, strict=False) for r in mine)
    else:
        joined = ipaddress.collapse_addresses(ipaddress.IPv6Network(r, strict=False) for r in mine)
    return tuple(str(r).removesuffix("/32" if family == 4 else "/128") for r in joined)


class Frame(msgspec.Struct, frozen=True):
    """What the parts of the compiler share about one family on one node.

    ``pod_source`` and ``not_pod_source`` recognise a pod's source and are None without a detection.
    """

    words: Words
    node: Node
    mark: int
    pod_source: Match | None
    not_pod_source: Match | None

    def mark_for_masquerade(self) -> SetMark:
        """Sets the bit that the postrouting chain looks at."""
        return SetMark("|", self.mark)


def frame(family: int, view: View, node: Node, options: ProxyOptions) -> Frame:
    """The shared facts of one family."""
    words = Words(family)
    mark = 1 << options.masquerade_bit
    source = _pod_source(words, view, node, options)
    if source is None:
        return Frame(words, node, mark, None, None)
    return Frame(words, node, mark, source, msgspec.structs.replace(source, negate=True))


def _pod_source(words: Words, view: View, node: Node, options: ProxyOptions) -> Match | None:
    """The match of the local-traffic detection, None when it has nothing to go by (K41, K69)."""
    match options.detect_local:
        case DetectLocal.CLUSTER_CIDR | DetectLocal.NODE_CIDR:
            given = view.network.pod_cidrs if options.cluster_cidrs is None else options.cluster_cidrs
            ranges = node.pod_cidrs if options.detect_local is DetectLocal.NODE_CIDR else given
            mine = collapsed(words.family, ranges)
            return any_of(words.saddr, mine) if mine else None
        case DetectLocal.BRIDGE_INTERFACE:
            return any_of("iifname", [f'"{options.interface}"']) if options.interface else None
        case DetectLocal.INTERFACE_NAME_PREFIX:
            return any_of("iifname", [f'"{options.interface}*"']) if options.interface else None


def base_chains() -> dict[str, Chain]:
    """The hooks: firewall before DNAT, checks of what was not translated, DNAT, masquerade."""
    services = rule(_NEW, jump("service-endpoints-check"))
    addresses = rule(_NEW, jump("cluster-ips-check"))
    firewall = rule(_NEW, jump("firewall-check"))
    node_ports = rule(_NEW, jump("nodeport-endpoints-check"))
    return {
        "filter-prerouting-pre-dnat": chain(firewall, hook=Hook("filter", "prerouting", -110)),
        "filter-output-pre-dnat": chain(firewall, hook=Hook("filter", "output", -110)),
        "filter-input": chain(node_ports, services, hook=Hook("filter", "input", 0)),
        "filter-forward": chain(services, addresses, hook=Hook("filter", "forward", 0)),
        "filter-output": chain(services, addresses, hook=Hook("filter", "output", 0)),
        "nat-prerouting": chain(rule(jump("services")), hook=Hook("nat", "prerouting", -100)),
        "nat-output": chain(rule(jump("services")), hook=Hook("nat", "output", -100)),
        "nat-postrouting": chain(rule(jump("masquerading")), hook=Hook("nat", "postrouting", 100)),
    }


def fixed_chains(frame: Frame, view: View, options: ProxyOptions, *, listed: bool) -> dict[str, Chain]:
    """Dispatch and checks; ``listed`` says that ``nodeport-ips`` limits the addresses that answer NodePorts."""
    words = frame.words
    local = Match(("fib daddr type",), ("local",))
    node_address: tuple[Statement, ...] = (
        (any_of(words.daddr, ["@nodeport-ips"]),)
        if listed
        else (local, any_of(words.daddr, [_LOOPBACK[words.family]], negate=True))
    )
    in_cluster = any_of(words.daddr, ["@cluster-ips"])
    unused = collapsed(words.family, view.network.service_cidrs)
    services = [
        *_cluster_masquerade(frame, in_cluster, options),
        rule(VerdictMap(words.service, "service-ips")),
        rule(*node_address, VerdictMap(words.node_port, "service-nodeports")),
    ]
    marked = Match((f"meta mark & 0x{frame.mark:08x}",), ("0x00000000",), negate=True)
    random = Masquerade(("fully-random",))
    hairpin = Match((words.saddr, words.daddr, "meta l4proto", "th dport"), ("@hairpin-connections",))
    return {
        "services": chain(*services),
        "cluster-ips-check": chain(
            rule(in_cluster, Reject(), comment="a port that the Service does not have"),
            *([rule(any_of(words.daddr, unused), DROP, comment="an address that no Service has")] if unused else []),
        ),
        "service-endpoints-check": chain(rule(VerdictMap(words.service, "no-endpoint-services"))),
        "nodeport-endpoints-check": chain(rule(*node_address, VerdictMap(words.node_port, "no-endpoint-nodeports"))),
        "firewall-check": chain(rule(VerdictMap(words.service, "firewall-ips"))),
        "masquerading": chain(
            rule(marked, SetMark("^", frame.mark), random),
            rule(Match(("ct status",), ("dnat",)), hairpin, random, comment="a pod that reached itself"),
        ),
        REJECT_CHAIN: chain(rule(Reject())),
    }


def _cluster_masquerade(frame: Frame, in_cluster: Match, options: ProxyOptions) -> list[Rule]:
    """Traffic to a ClusterIP is masqueraded when it does not come from a pod (K41), or always (K42)."""
    if options.masquerade_all:
        return [rule(in_cluster, frame.mark_for_masquerade())]
    if frame.not_pod_source:
        return [rule(in_cluster, frame.not_pod_source, frame.mark_for_masquerade(), comment="not from a pod")]
    return []


def empty_sets(family: int) -> dict[str, Set]:
    """The named sets and maps that every table has, without elements."""
    address = _ADDRESS_TYPE[family]
    service_key, port_key = f"{address} . inet_proto . inet_service", "inet_proto . inet_service"
    return {
        "cluster-ips": Set(key=address),
        "hairpin-connections": Set(key=f"{address} . {address} . inet_proto . inet_service"),
        "service-ips": Set(key=service_key, data="verdict"),
        "service-nodeports": Set(key=port_key, data="verdict"),
        "no-endpoint-services": Set(key=service_key, data="verdict"),
        "no-endpoint-nodeports": Set(key=port_key, data="verdict"),
        "firewall-ips": Set(key=service_key, data="verdict"),
    }


def node_port_ips(family: int, node: Node, options: ProxyOptions) -> tuple[frozenset[str] | None, tuple[Finding, ...]]:
    """The addresses that answer NodePorts, None for every local one except loopback (K73, K75, K76)."""
    accepted = accepting(family, node, options, primary=True)
    findings = tuple(
        Finding(
            reference="nodeport-on-loopback",
            message=f"NodePorts do not answer on {r}: the nftables mode never serves loopback.",
            severity=Severity.WARNING,
        )
        for r in limits(family, options)
        if accepted is not None and ipaddress.ip_network(r, strict=False).is_loopback
    )
    if accepted is None:
        return None, findings
    return frozenset(a for a in accepted if not ipaddress.ip_address(a).is_loopback), findings


def _balance_key(words: Words, protocol: str, *, node_port: bool) -> tuple[str, ...]:
    """What chooses an endpoint, besides the random number."""
    return (f"{protocol} dport",) if node_port else (words.daddr, f"{protocol} dport")


def endpoint_map(words: Words, protocol: str, *, node_port: bool) -> Set:
    """The map of one protocol that has an element per endpoint, keyed by destination and number.

    The modulus in a typeof names the type of the number only: one map serves every count of endpoints.
    Protocols need maps of their own, because nft 1.0.6 refuses a later rule on a map that is typed by ``th dport``.
    """
    key = (*_balance_key(words, protocol, node_port=node_port), "numgen random mod 2")
    return Set(typeof=True, key=" . ".join(key), data=f"{words.daddr} . {protocol} dport")


def balance_chain(words: Words, protocol: str, count: int, *, node_port: bool, name: str) -> Chain:
    """Spread over ``count`` elements of map ``name``, each equally likely (K38).

    The second rule is for a packet that meets a transaction between two lookups: its element may just have gone.
    """
    key = _balance_key(words, protocol, node_port=node_port)
    moduli = [count, 1] if count > 1 else [1]
    targets = (Dnat(family=words.table, key=(*key, f"numgen random mod {m}"), name=name) for m in moduli)
    return chain(*map(rule, targets))


def external_chain(frame: Frame, cluster: str, *, short_circuit: bool, local: str = "") -> Chain:
    """What an external destination does: masquerade and balance, or under the Local policy the short circuits first.

    ``cluster`` is the chain over all endpoints, ``local`` that over this node's, empty when it has none (K60 to K71).
    """
    mark = frame.mark_for_masquerade()
    if not short_circuit:
        return chain(rule(mark), rule(goto(cluster)))
    own = Match(("fib saddr type",), ("local",))
    return chain(
        *([rule(frame.pod_source, goto(cluster), comment="from a pod")] if frame.pod_source else []),
        rule(own, mark, comment="from the node itself"),
        rule(own, goto(cluster), comment="from the node itself"),
        *([rule(goto(local))] if local else []),
    )
