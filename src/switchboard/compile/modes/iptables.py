"""Proxy mode iptables: the desired chains ``KUBE-*`` of one node, for both families.

In go the view, a node's name and settings; out come a ``Ruleset`` for each family and findings.
Called by ``run`` and ``cli``; ``rules.iptables_difference`` tells the kernel.
Specification: I1 to I10 and the behaviours tagged [ipt] of the behaviour list (kube-proxy 1.36); chains have
kube-proxy's own names, so that a node's real rules can be compared.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

from switchboard.base.findings import Finding
from switchboard.compile.health import checked
from switchboard.compile.modes import _ipt_frame as ipt
from switchboard.compile.modes._mode import Mode, ProxyOptions
from switchboard.compile.modes._owners import key_of, node_key_of, owners_of
from switchboard.compile.node_ports import accepting
from switchboard.rules.iptables import Chain, Match, Rule, Ruleset, render
from switchboard.view.choice import Choice, addresses_of, choose, externally_accessible
from switchboard.view.model import View
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort

FAMILIES = (4, 6)
# Beyond this many endpoints comments on their rules cost more than they help (I8).
_MANY = 1000


def compile_node(
    view: View, node_name: str, options: ProxyOptions
) -> tuple[tuple[Ruleset, Ruleset], tuple[Finding, ...]]:
    """IPv4 and IPv6 of one node; one that the view lacks gets rules without local endpoints."""
    node = next((n for n in view.nodes if n.name == node_name), None)
    findings: list[Finding] = []
    if node is None:
        message = f"There is no Node {node_name}."
        findings.append(Finding(reference="unknown-node", message=message, object=f"Node {node_name}"))
    rulesets = []
    for family in FAMILIES:
        ruleset, found = _family(family, view, node or Node(name=node_name), options)
        rulesets.append(ruleset)
        findings += found
    return (rulesets[0], rulesets[1]), tuple(dict.fromkeys(findings))


def _family(family: int, view: View, node: Node, options: ProxyOptions) -> tuple[Ruleset, tuple[Finding, ...]]:
    ports = sorted((p for p in view.services if p.proxied), key=lambda p: p.key)
    owners, conflicts = owners_of(family, ports)
    many = sum(len(p.endpoints) for p in ports) > _MANY
    draft = _Draft(ipt.frame(family, view, node, options), owners, comments=not many)
    for port in ports:
        draft.add(port)
    draft.node_ports()
    tables = {
        "filter": _joined(ipt.fixed_filter(draft.frame), draft.filter),
        "nat": _joined(ipt.fixed_nat(draft.frame), draft.nat),
        "mangle": {ipt.CANARY: Chain()},
    }
    return Ruleset(family, tables), conflicts


def _joined(fixed: Mapping[str, Chain], added: Mapping[str, list[Rule]]) -> dict[str, Chain]:
    """The fixed chains and those of the Services; rules for Services follow those that are fixed."""
    both = {n: Chain((*c.rules, *added.get(n, ())), c.policy) for n, c in fixed.items()}
    return both | {n: Chain(tuple(rules)) for n, rules in added.items() if n not in fixed}


class _Draft:
    """What the service ports add to one family: rules by chain, in tables filter and nat."""

    def __init__(self, shared: ipt.Frame, owners: dict[str, str], *, comments: bool) -> None:
        self.frame, self.owners, self.comments = shared, owners, comments
        self.filter: dict[str, list[Rule]] = {}
        self.nat: dict[str, list[Rule]] = {}

    def add(self, port: ServicePort) -> None:
        """Everything for one service port; a family in which it has no cluster address gets nothing (K4)."""
        family = self.frame.family
        cluster_ips = addresses_of(port.cluster_ips, family)
        if not cluster_ips:
            return
        choice = choose(port, self.frame.node, family)
        self._internal(port, cluster_ips[0], choice)
        if externally_accessible(port, family):
            self._external(port, choice)
        for kind, endpoints in (("SVC", choice.cluster), ("SVL", choice.local)):
            if endpoints:
                self._balance(ipt.chain_name(kind, port), port, endpoints)
        for endpoint in choice.reachable:
            self._endpoint(port, endpoint)
        if checked(port):
            said = ipt.comment(f"{port.namespace}/{port.name} health check node port")
            accept = ipt.rule(said, *ipt.service_port("TCP", port.health_check_node_port), jump="ACCEPT")
            rules = self.filter.setdefault(ipt.NODE_PORTS, [])
            if accept not in rules:
                rules.append(accept)

    def _owns(self, key: str, port: ServicePort) -> bool:
        return self.owners[key] == port.key

    def _to(self, port: ServicePort, address: str) -> ipt.Matches:
        """Packets to an address of the service port."""
        return ipt.destination(address, self.frame.family), *ipt.service_port(port.protocol, port.port)

    def _internal(self, port: ServicePort, address: str, choice: Choice) -> None:
        """The cluster address under the internal policy, and who is masqueraded there (K38 to K42, K55 to K57, I5)."""
        endpoints = choice.local if port.internal_local else choice.cluster
        name, to = ipt.readable(port), self._to(port, address)
        if not self._owns(key_of(address, port), port):
            return
        if not endpoints:
            self._refuse(ipt.SERVICES, name, to, drop=choice.any_endpoints)
            return
        chain = ipt.chain_name("SVL" if port.internal_local else "SVC", port)
        said = ipt.comment(f"{name} cluster IP")
        self.nat.setdefault(ipt.SERVICES, []).append(ipt.rule(said, *to, jump=chain))
        if self.frame.options.masquerade_all:
            self.nat.setdefault(chain, []).append(ipt.rule(said, *to, jump=ipt.MARK_MASQ))
        elif self.frame.elsewhere:
            self.nat.setdefault(chain, []).append(ipt.rule(said, *to, *self.frame.elsewhere, jump=ipt.MARK_MASQ))

    def _refuse(self, chain: str, name: str, to: ipt.Matches, *, drop: bool) -> None:
        """Drop when there are endpoints elsewhere, reject when there is none at all (K56, K57, K65, K66)."""
        said = ipt.comment(f"{name} has no {'local ' if drop else ''}endpoints")
        target = ("DROP", ()) if drop else ("REJECT", ipt.reject(self.frame.family))
        self.filter.setdefault(chain, []).append(ipt.rule(said, *to, jump=target[0], options=target[1]))

    def _external(self, port: ServicePort, choice: Choice) -> None:
        """External destinations: to the external chain, refused, or by way of the source ranges (K60 to K88)."""
        family, name = self.frame.family, ipt.readable(port)
        to_external = ipt.chain_name("EXT", port)
        firewalled = self._firewall(port, to_external) if choice.any_endpoints else ""
        usable = choice.local if port.external_local else choice.cluster
        places = [("external IP", a, to_external) for a in addresses_of(port.external_ips, family)]
        places += [("loadbalancer IP", a, firewalled or to_external) for a in _balancer_ips(port, family)]
        for kind, address, chain in places:
            if not self._owns(key_of(address, port), port):
                continue
            to = self._to(port, address)
            if choice.any_endpoints:
                said = ipt.comment(f"{name} {kind}")
                self.nat.setdefault(ipt.SERVICES, []).append(ipt.rule(said, *to, jump=chain))
            if chain == firewalled:
                said = ipt.comment(f"{name} traffic not accepted by {firewalled}")
                self.filter.setdefault(ipt.PROXY_FIREWALL, []).append(ipt.rule(said, *to, jump="DROP"))
            if not usable:
                self._refuse(ipt.EXTERNAL, name, to, drop=choice.any_endpoints)
        if port.node_port and self._owns(node_key_of(port), port):
            to = ipt.service_port(port.protocol, port.node_port)
            if choice.any_endpoints:
                rules = self.nat.setdefault(ipt.NODE_PORTS, [])
                rules.append(ipt.rule(ipt.comment(name), *to, jump=to_external))
            if not usable:
                self._refuse(ipt.EXTERNAL, name, (*to, ipt.local("dst")), drop=choice.any_endpoints)
        if choice.any_endpoints:
            self.nat[to_external] = list(self._policy(port, choice))

    def _policy(self, port: ServicePort, choice: Choice) -> Iterable[Rule]:
        """Masquerade and balance, or under the Local policy the short circuits first (K60, K64 to K69)."""
        name, cluster = ipt.readable(port), ipt.chain_name("SVC", port)
        if not port.external_local:
            yield ipt.rule(ipt.comment(f"masquerade traffic for {name} external destinations"), jump=ipt.MARK_MASQ)
            yield ipt.rule(jump=cluster)
            return
        if choice.cluster:
            for pod in self.frame.pod_source:
                yield ipt.rule(pod, ipt.comment(f"pod traffic for {name} external destinations"), jump=cluster)
            said = ipt.comment(f"masquerade LOCAL traffic for {name} external destinations")
            yield ipt.rule(said, ipt.local("src"), jump=ipt.MARK_MASQ)
            said = ipt.comment(f"route LOCAL traffic for {name} external destinations")
            yield ipt.rule(said, ipt.local("src"), jump=cluster)
        if choice.local:
            yield ipt.rule(jump=ipt.chain_name("SVL", port))

    def _firewall(self, port: ServicePort, external: str) -> str:
        """The chain that lets allowed sources through to the load balancer addresses, empty without ranges (I6)."""
        family = self.frame.family
        ranges, addresses = addresses_of(port.source_ranges, family), _balancer_ips(port, family)
        if not ranges or not addresses:
            return ""
        said = ipt.comment(f"{ipt.readable(port)} loadbalancer IP")
        rules = [ipt.rule(ipt.source(r, family), said, jump=external) for r in ranges]
        primary = addresses_of(self.frame.node.addresses, family)[:1]
        if any(ipaddress.ip_address(a) in ipaddress.ip_network(r, strict=False) for a in primary for r in ranges):
            # A node that has the address itself uses it as its source (K85).
            rules += [ipt.rule(ipt.source(a, family), said, jump=external) for a in addresses]
        name = ipt.chain_name("FW", port)
        self.nat[name] = rules
        return name

    def _balance(self, chain: str, port: ServicePort, endpoints: tuple[Endpoint, ...]) -> None:
        """First whoever has been here before, then each with equal probability, the last one for the rest (I2, I3)."""
        rules = self.nat.setdefault(chain, [])
        found = [(self._said(port, e), ipt.chain_name("SEP", port, e)) for e in endpoints]
        if port.affinity_seconds:
            rules += [ipt.rule(*said, self._recent(sep, port.affinity_seconds), jump=sep) for said, sep in found]
        for index, (said, sep) in enumerate(found):
            left = len(found) - index
            chance = (
                ipt.match("statistic", ipt.option("--mode", "random"), ipt.option("--probability", _probability(left))),
            )
            rules.append(ipt.rule(*said, *(chance if left > 1 else ()), jump=sep))

    def _said(self, port: ServicePort, endpoint: Endpoint) -> ipt.Matches:
        return (ipt.comment(f"{ipt.readable(port)} -> {ipt.place(endpoint)}"),) if self.comments else ()

    def _recent(self, name: str, seconds: int) -> Match:
        """Matches clients of an endpoint; with 0 seconds it remembers one instead."""
        mask = "255.255.255.255" if self.frame.family == 4 else "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        kind = (
            (ipt.option("--rcheck"), ipt.option("--seconds", str(seconds)), ipt.option("--reap"))
            if seconds
            else (ipt.option("--set"),)
        )
        return ipt.match(
            "recent", *kind, ipt.option("--name", name), ipt.option("--mask", mask), ipt.option("--rsource")
        )

    def _endpoint(self, port: ServicePort, endpoint: Endpoint) -> None:
        """One endpoint: who reaches itself is masqueraded (I4), then the translation."""
        name = ipt.chain_name("SEP", port, endpoint)
        said = (ipt.comment(ipt.readable(port)),) if self.comments else ()
        remember = (self._recent(name, 0),) if port.affinity_seconds else ()
        protocol = port.protocol.lower()
        target = (ipt.option("--to-destination", ipt.place(endpoint)),)
        self.nat[name] = [
            ipt.rule(ipt.source(endpoint.address, self.frame.family), *said, jump=ipt.MARK_MASQ),
            ipt.rule(
                ipt.match("", ipt.option("-p", protocol)), *said, *remember,
                ipt.match(protocol), jump="DNAT", options=target,
            ),
        ]  # fmt: skip

    def node_ports(self) -> None:
        """The last rules of the dispatch: NodePorts on the addresses that answer them (K74 to K77, I1)."""
        family, loopback = self.frame.family, ("::1", "127.0.0.0/8")[self.frame.family == 4]
        said = ipt.comment("kubernetes service nodeports; NOTE: this must be the last rule in this chain")
        wanted = accepting(family, self.frame.node, self.frame.options, primary=False)
        rules = self.nat.setdefault(ipt.SERVICES, [])
        if wanted is None:
            guard = () if ipt.guarded(self.frame) else (ipt.destination(loopback, family, negate=True),)
            rules.append(ipt.rule(*guard, said, ipt.local("dst"), jump=ipt.NODE_PORTS))
            return
        for address in sorted(wanted, key=lambda a: int(ipaddress.ip_address(a))):
            if not ipaddress.ip_address(address).is_loopback or ipt.guarded(self.frame):
                rules.append(ipt.rule(ipt.destination(address, family), said, jump=ipt.NODE_PORTS))


def _balancer_ips(port: ServicePort, family: int) -> tuple[str, ...]:
    return addresses_of(port.load_balancer_ips, family)


def _probability(left: int) -> str:
    """One in ``left`` as iptables-save prints it: the kernel keeps 31 bits of it."""
    return f"{round(2**31 / left) / 2**31:.11f}"


def render_families(rulesets: tuple[Ruleset, Ruleset], view: View) -> str:
    """Both families as ``iptables-save`` and ``ip6tables-save`` print them; rules have their comments already."""
    del view
    return "".join(f"# IPv{ruleset.family}\n{render(ruleset)}" for ruleset in rulesets)


MODE = Mode(
    name="iptables",
    compile=compile_node,
    render=render_families,
    features=frozenset(
        {
            *("cluster-ip", "node-port", "load-balancer-vip", "external-ip", "internal-local", "external-local"),
            *("hairpin", "source-ranges", "client-ip-affinity", "topology", "dual-stack", "udp", "sctp"),
            "node-port-on-loopback",
        }
    ),
)
