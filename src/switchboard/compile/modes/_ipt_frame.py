"""The part of a node's iptables that does not depend on Services: jumps, masquerade, guards, and words for rules.

In go a family, the node and the settings; out come chains.
Called by ``compile.modes.iptables`` and ``compile.modes.ipvs``.
Specification: section 5 of the behaviour list (kube-proxy 1.36), K41 to K43, K77, K149, K150.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from switchboard.compile.modes._mode import DetectLocal, ProxyOptions
from switchboard.rules.iptables import Chain, Match, Option, Rule
from switchboard.rules.iptables_difference import BUILT_IN
from switchboard.view.choice import addresses_of
from switchboard.view.model import View
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort

SERVICES, EXTERNAL, NODE_PORTS = "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-NODEPORTS"
FORWARD, PROXY_FIREWALL, FIREWALL = "KUBE-FORWARD", "KUBE-PROXY-FIREWALL", "KUBE-FIREWALL"
POSTROUTING, MARK_MASQ, CANARY = "KUBE-POSTROUTING", "KUBE-MARK-MASQ", "KUBE-PROXY-CANARY"

#: What a packet must be: builtin options, matches of modules.
Matches = tuple[Match, ...]


def option(name: str, *values: str, negate: bool = False) -> Option:
    """One option."""
    return Option(name, values, negate)


def match(module: str, *options: Option) -> Match:
    """One match."""
    return Match(module, options)


def comment(text: str) -> Match:
    """A comment, cut to what the kernel keeps."""
    return match("comment", option("--comment", text[:255]))


def new() -> Match:
    """Packets that begin a flow."""
    return match("conntrack", option("--ctstate", "NEW"))


def rule(*matches: Match, jump: str = "", options: tuple[Option, ...] = ()) -> Rule:
    """A rule of these matches; builtin options come first, as one."""
    plain = tuple(o for m in matches if not m.module for o in m.options)
    order = {"-s": 0, "-d": 1, "-i": 2, "-o": 3, "-p": 4}
    first = (Match("", tuple(sorted(plain, key=lambda o: order[o.name]))),) if plain else ()
    return Rule((*first, *(m for m in matches if m.module)), jump, options)


def source(address: str, family: int, *, negate: bool = False) -> Match:
    """The source is (not) in this CIDR or this address."""
    return match("", option("-s", host(address, family), negate=negate))


def destination(address: str, family: int, *, negate: bool = False) -> Match:
    """The destination is (not) in this CIDR or this address."""
    return match("", option("-d", host(address, family), negate=negate))


def host(address: str, family: int) -> str:
    """An address as the CIDR that iptables-save prints for it."""
    return address if "/" in address else f"{address}/{32 if family == 4 else 128}"


def service_port(protocol: str, number: int) -> Matches:
    """The protocol and its destination port."""
    name = protocol.lower()
    return match("", option("-p", name)), match(name, option("--dport", str(number)))


def reject(family: int) -> tuple[Option, ...]:
    """Port unreachable, which clients report as a refusal."""
    return (option("--reject-with", "icmp-port-unreachable" if family == 4 else "icmp6-port-unreachable"),)


def local(which: str) -> Match:
    """The source (``src``) or destination (``dst``) is an address of the node."""
    return match("addrtype", option(f"--{which}-type", "LOCAL"))


def readable(port: ServicePort) -> str:
    """``namespace/name:port-name``, as comments and the names of chains have it."""
    return f"{port.namespace}/{port.name}" + (f":{port.port_name}" if port.port_name else "")


def chain_name(kind: str, port: ServicePort, endpoint: Endpoint | None = None) -> str:
    """``KUBE-SVC-`` and 16 characters that are the same on every node, and those of kube-proxy."""
    text = readable(port) + port.protocol.lower() + (place(endpoint) if endpoint else "")
    return f"KUBE-{kind}-" + base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:16]


def place(endpoint: Endpoint) -> str:
    """``10.0.0.1:80`` or ``[fd00::1]:80``."""
    address = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    return f"{address}:{endpoint.port}"


class Frame(msgspec.Struct, frozen=True):
    """What the parts of the compiler share about one family on one node.

    ``pod_source`` recognises a pod's source; it is empty without a detection, and otherwise any one of its matches
    suffices.  ``elsewhere`` are matches that must all hold for a source that is no pod's.
    """

    family: int
    node: Node
    options: ProxyOptions
    mark: str
    pod_source: Matches = ()
    elsewhere: Matches = ()


def frame(family: int, view: View, node: Node, options: ProxyOptions) -> Frame:
    """The shared facts of one family.

    Only the first range of a family counts for the detection by ranges, as one rule can hold one negated source.
    """
    mark = f"0x{1 << options.masquerade_bit:x}"
    match options.detect_local:
        case DetectLocal.CLUSTER_CIDR | DetectLocal.NODE_CIDR:
            given = view.network.pod_cidrs if options.cluster_cidrs is None else options.cluster_cidrs
            ranges = node.pod_cidrs if options.detect_local is DetectLocal.NODE_CIDR else given
            found = [("-s", r) for r in addresses_of(ranges, family)[:1]]
        case DetectLocal.BRIDGE_INTERFACE:
            found = [("-i", options.interface)] if options.interface else []
        case DetectLocal.INTERFACE_NAME_PREFIX:
            found = [("-i", f"{options.interface}+")] if options.interface else []
    inside = tuple(match("", option(name, value)) for name, value in found)
    outside = tuple(match("", option(name, value, negate=True)) for name, value in found)
    return Frame(family, node, options, mark, inside, outside)


def fixed_filter(frame: Frame) -> dict[str, Chain]:
    """Chains of table filter, those for Services empty."""
    new_flow, portals = new(), comment("kubernetes service portals")
    external = comment("kubernetes externally-visible service portals")
    balancer = comment("kubernetes load balancer firewall")
    firewall = rule(new_flow, balancer, jump=PROXY_FIREWALL)
    guard = (rule(jump=FIREWALL),) if guarded(frame) else ()
    checks = rule(comment("kubernetes health check service ports"), jump=NODE_PORTS)
    masked = option("--mark", f"{frame.mark}/{frame.mark}")
    accept = "kubernetes forwarding rules"
    invalid = (
        () if frame.options.tcp_liberal else (rule(match("conntrack", option("--ctstate", "INVALID")), jump="DROP"),)
    )
    chains: dict[str, list[Rule]] = {
        "INPUT": [firewall, checks, rule(new_flow, external, jump=EXTERNAL), *guard],
        "FORWARD": [
            firewall,
            rule(comment(accept), jump=FORWARD),
            rule(new_flow, portals, jump=SERVICES),
            rule(new_flow, external, jump=EXTERNAL),
        ],
        "OUTPUT": [firewall, rule(new_flow, portals, jump=SERVICES), *guard],
        FORWARD: [
            *invalid,
            rule(comment(accept), match("mark", masked), jump="ACCEPT"),
            rule(comment("kubernetes forwarding conntrack rule"), _established(), jump="ACCEPT"),
        ],
        **{name: [] for name in (SERVICES, EXTERNAL, NODE_PORTS, PROXY_FIREWALL, CANARY)},
    }
    if guarded(frame):
        chains[FIREWALL] = [
            rule(
                source("127.0.0.0/8", 4, negate=True),
                destination("127.0.0.0/8", 4),
                comment("block incoming localnet connections"),
                match("conntrack", option("--ctstate", "RELATED,ESTABLISHED,DNAT", negate=True)),
                jump="DROP",
            )
        ]
    return _chains(chains)


def _chains(rules: Mapping[str, Iterable[Rule]]) -> dict[str, Chain]:
    return {name: Chain(tuple(found), "ACCEPT" if name in BUILT_IN else "") for name, found in rules.items()}


def _established() -> Match:
    return match("conntrack", option("--ctstate", "RELATED,ESTABLISHED"))


def guarded(frame: Frame) -> bool:
    """Whether NodePorts answer on loopback, which others must then be kept from (K77)."""
    return frame.family == 4 and frame.options.localhost_node_ports


def fixed_nat(frame: Frame) -> dict[str, Chain]:
    """Chains of table nat, those for Services empty."""
    portals = rule(comment("kubernetes service portals"), jump=SERVICES)
    masked = option("--mark", f"{frame.mark}/{frame.mark}", negate=True)
    snat = "kubernetes service traffic requiring SNAT"
    chains: dict[str, list[Rule]] = {
        "PREROUTING": [portals],
        "OUTPUT": [portals],
        "POSTROUTING": [rule(comment("kubernetes postrouting rules"), jump=POSTROUTING)],
        SERVICES: [],
        NODE_PORTS: [],
        POSTROUTING: [
            rule(match("mark", masked), jump="RETURN"),
            rule(jump="MARK", options=(option("--set-xmark", f"{frame.mark}/0x0"),)),
            rule(comment(snat), jump="MASQUERADE", options=(option("--random-fully"),)),
        ],
        MARK_MASQ: [rule(jump="MARK", options=(option("--set-xmark", f"{frame.mark}/{frame.mark}"),))],
        CANARY: [],
    }
    return _chains(chains)
