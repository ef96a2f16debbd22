"""Proxy mode IPVS: virtual servers, sets, dummy addresses and a fixed set of iptables rules for one node.

In go the view, a node's name and settings; out come a ``Ruleset`` and findings.
Called by ``cli``: rules are made everywhere, while only kernels with IP_VS can take them.
Specification: V1 to V12 and V17 of the behaviour list (kube-proxy 1.36).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

import msgspec

from switchboard.base.findings import Finding, Severity
from switchboard.compile.health import checked
from switchboard.compile.modes import _ipt_frame as ipt
from switchboard.compile.modes._ipvs_chains import SETS, chains, set_name
from switchboard.compile.modes._mode import Mode, ProxyOptions
from switchboard.compile.modes._owners import key_of, node_key_of, owners_of
from switchboard.compile.node_ports import accepting
from switchboard.rules import iptables
from switchboard.rules.iptables import Rule
from switchboard.rules.ipvs import (
    SCHEDULERS,
    AddressSet,
    RealServer,
    Ruleset,
    VirtualServer,
    render_servers,
    render_sets,
)
from switchboard.view.choice import addresses_of, choose, externally_accessible
from switchboard.view.model import View
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort

FAMILIES = (4, 6)
DEFAULT_SCHEDULER = "rr"


def compile_node(view: View, node_name: str, options: ProxyOptions) -> tuple[Ruleset, tuple[Finding, ...]]:
    """Both families of one node; one that the view lacks gets rules without NodePorts and local endpoints."""
    findings: list[Finding] = []
    node = next((n for n in view.nodes if n.name == node_name), None)
    if node is None:
        message = f"There is no Node {node_name}."
        findings.append(Finding(reference="unknown-node", message=message, object=f"Node {node_name}"))
    if options.ipvs_scheduler not in SCHEDULERS:
        message = f"{options.ipvs_scheduler} is no scheduler of IPVS; {DEFAULT_SCHEDULER} is used."
        findings.append(Finding(reference="unknown-scheduler", message=message, severity=Severity.WARNING))
        options = msgspec.structs.replace(options, ipvs_scheduler=DEFAULT_SCHEDULER)
    whole = Ruleset()
    for family in FAMILIES:
        part, found = _family(family, view, node or Node(name=node_name), options)
        findings += found
        whole = Ruleset(
            (*whole.servers, *part.servers),
            (*whole.sets, *part.sets),
            (*whole.addresses, *part.addresses),
            (*whole.chains, *part.chains),
        )
    return whole, tuple(dict.fromkeys(findings))


def _family(family: int, view: View, node: Node, options: ProxyOptions) -> tuple[Ruleset, tuple[Finding, ...]]:
    ports = sorted((p for p in view.services if p.proxied), key=lambda p: p.key)
    owners, conflicts = owners_of(family, ports)
    draft = _Draft(ipt.frame(family, view, node, options), owners)
    for port in ports:
        draft.add(port)
    servers = sorted(draft.servers.values(), key=lambda s: (int(ipaddress.ip_address(s.address)), s.port, s.protocol))
    sets = [
        # Ports have no family.
        AddressSet(set_name(n, family), kind, 4 if kind == "bitmap:port" else family, tuple(sorted(draft.sets[n])))
        for n, kind in SETS.items()
    ]
    tables = chains(draft.frame, draft.own_access)
    dummy = sorted(draft.addresses, key=lambda a: int(ipaddress.ip_address(a)))
    return Ruleset(tuple(servers), tuple(sets), tuple(dummy), (iptables.Ruleset(family, tables),)), conflicts


class _Draft:
    """What the service ports add to one family."""

    def __init__(self, shared: ipt.Frame, owners: Mapping[str, str]) -> None:
        self.frame, self.owners = shared, owners
        self.servers: dict[tuple[str, int, str], VirtualServer] = {}
        self.sets: dict[str, set[str]] = {name: set() for name in SETS}
        self.addresses: set[str] = set()
        self.own_access: list[Rule] = []

    def add(self, port: ServicePort) -> None:
        """Everything for one service port; a family in which it has no cluster address gets nothing (K4)."""
        family, node = self.frame.family, self.frame.node
        cluster_ips = addresses_of(port.cluster_ips, family)
        if not cluster_ips:
            return
        everywhere = choose(msgspec.structs.replace(port, internal_local=False), node, family).cluster
        choice = choose(port, node, family)
        # Without a local endpoint the others are used: this mode drops nothing (V10).
        internal = (choice.local if port.internal_local else ()) or everywhere
        external = (choice.local if port.external_local else ()) or everywhere
        for e in (e for e in {*internal, *external} if e.node == node.name):
            self.sets["LOOP-BACK"].add(f"{e.address},{port.protocol.lower()}:{e.port},{e.address}")
        self._address("CLUSTER-IP", cluster_ips[0], port, internal)
        if not externally_accessible(port, family):
            return
        for address in addresses_of(port.external_ips, family):
            self._address("EXTERNAL-IP-LOCAL" if port.external_local else "EXTERNAL-IP", address, port, external)
        for address in addresses_of(port.load_balancer_ips, family):
            if self._address("LOAD-BALANCER", address, port, external):
                self._balancer(address, port)
        if port.node_port and self.owners[node_key_of(port)] == port.key:
            self._node_port(port, external)
        if checked(port):
            self.sets["HEALTH-CHECK-NODE-PORT"].add(str(port.health_check_node_port))

    def _address(self, name: str, address: str, port: ServicePort, endpoints: tuple[Endpoint, ...]) -> bool:
        """A virtual server, its entry in a set, and the address on the dummy interface, unless it is another's."""
        if self.owners[key_of(address, port)] != port.key:
            return False
        self.sets[name].add(_entry(address, port))
        self.sets["IPVS-IPS"].add(address)
        if address not in self.frame.node.addresses and address not in self.frame.options.local_addresses:
            self.addresses.add(address)
        self._server(address, port.port, port, endpoints, name)
        return True

    def _server(self, address: str, number: int, port: ServicePort, endpoints: tuple[Endpoint, ...], what: str) -> None:
        scheduler = self.frame.options.ipvs_scheduler
        self.servers[address, number, port.protocol] = VirtualServer(
            address=address,
            port=number,
            protocol=port.protocol,
            scheduler=scheduler,
            flags=("mh-port",) if scheduler == "mh" else (),
            persistence=port.affinity_seconds,
            servers=tuple(sorted(RealServer(e.address, e.port) for e in endpoints)),
            comment=f"{ipt.readable(port)} {what.lower()}",
        )

    def _balancer(self, address: str, port: ServicePort) -> None:
        """What load balancer addresses have besides: the Local policy's set and source ranges (V12)."""
        family, entry = self.frame.family, _entry(address, port)
        if port.external_local:
            self.sets["LOAD-BALANCER-LOCAL"].add(entry)
        ranges = addresses_of(port.source_ranges, family)
        if not ranges:
            return
        self.sets["LOAD-BALANCER-FW"].add(entry)
        self.sets["LOAD-BALANCER-SOURCE-CIDR"] |= {f"{entry},{r}" for r in ranges}
        primary = addresses_of(self.frame.node.addresses, family)[:1]
        if any(ipaddress.ip_address(a) in ipaddress.ip_network(r, strict=False) for a in primary for r in ranges):
            self.sets["LOAD-BALANCER-SOURCE-IP"].add(f"{entry},{address}")
            return
        said = ipt.comment(f"{ipt.readable(port)}: the node is in none of its source ranges")
        to = (ipt.destination(address, family), *ipt.service_port(port.protocol, port.port))
        self.own_access.append(ipt.rule(said, *to, ipt.new(), jump="DROP"))

    def _node_port(self, port: ServicePort, endpoints: tuple[Endpoint, ...]) -> None:
        """A virtual server on each address of the node that answers, loopback never (V2)."""
        suffix = "SCTP-HASH" if port.protocol == "SCTP" else port.protocol
        names = [f"NODE-PORT-{suffix}", *([f"NODE-PORT-LOCAL-{suffix}"] if port.external_local else [])]
        for address in self._node_addresses():
            self._server(address, port.node_port, port, endpoints, "node-port")
            for name in names:
                hashed = f"{address},sctp:{port.node_port}"
                self.sets[name].add(hashed if port.protocol == "SCTP" else str(port.node_port))

    def _node_addresses(self) -> Iterator[str]:
        node, options = self.frame.node, self.frame.options
        chosen = accepting(self.frame.family, node, options, primary=False)
        for address in addresses_of((*node.addresses, *options.local_addresses), self.frame.family):
            if (chosen is None or address in chosen) and not ipaddress.ip_address(address).is_loopback:
                yield address


def _entry(address: str, port: ServicePort) -> str:
    return f"{address},{port.protocol.lower()}:{port.port}"


def sysctls(kernel: tuple[int, int], *, strict_arp: bool = False) -> dict[str, str]:
    """Settings below ``/proc/sys/net`` that the mode needs on a kernel of this version (V8)."""
    wanted = {f"ipv4/vs/{name}": "1" for name in ("conntrack", "expire_nodest_conn", "expire_quiescent_template")}
    wanted["ipv4/ip_forward"] = "1"
    if (4, 1) <= kernel < (5, 9):
        wanted["ipv4/vs/conn_reuse_mode"] = "0"
    if strict_arp:
        wanted |= {"ipv4/conf/all/arp_ignore": "1", "ipv4/conf/all/arp_announce": "2"}
    return wanted


def render(ruleset: Ruleset, view: View) -> str:
    """Each part as its program takes it, one after the other; virtual servers say what they are for."""
    del view
    dummy = "".join(f"address replace {a} dev kube-ipvs0\n" for a in ruleset.addresses)
    parts = [
        ("ip -batch", f"link add kube-ipvs0 type dummy\n{dummy}"),
        ("ipset -exist restore", render_sets(ruleset.sets)),
        ("ipvsadm -R", render_servers(ruleset.servers, comments=True)),
        *(
            (f"{'iptables' if c.family == 4 else 'ip6tables'}-restore --noflush", iptables.render(c))
            for c in ruleset.chains
        ),
    ]
    return "".join(f"# {program}\n{text}" for program, text in parts)


MODE = Mode(
    name="ipvs",
    compile=compile_node,
    render=render,
    features=frozenset(
        {
            *("cluster-ip", "node-port", "load-balancer-vip", "external-ip", "hairpin", "source-ranges"),
            *("client-ip-affinity", "topology", "dual-stack", "udp", "sctp", "reject-unused-port", "schedulers"),
        }
    ),
)
