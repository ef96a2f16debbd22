"""The iptables of the IPVS mode: a fixed number of rules over sets, whatever Services there are.

In go the shared facts of a family and rules for load balancer addresses; out come chains by table.
Called by ``compile.modes.ipvs``.
Specification: V6, V7, V9, V12, V17 of the behaviour list (kube-proxy 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable

from switchboard.compile.modes import _ipt_frame as ipt
from switchboard.rules.iptables import Chain, Match, Rule
from switchboard.rules.iptables_difference import BUILT_IN
from switchboard.rules.ipvs import LONGEST_SET_NAME

NODE_PORT, LOAD_BALANCER, RANGES = "KUBE-NODE-PORT", "KUBE-LOAD-BALANCER", "KUBE-SOURCE-RANGES-FIREWALL"
FILTER, OUT_FILTER = "KUBE-IPVS-FILTER", "KUBE-IPVS-OUT-FILTER"

#: Types of the sets by name without its prefix (V6).
SETS = {
    "LOOP-BACK": "hash:ip,port,ip",
    "CLUSTER-IP": "hash:ip,port",
    "EXTERNAL-IP": "hash:ip,port",
    "EXTERNAL-IP-LOCAL": "hash:ip,port",
    "LOAD-BALANCER": "hash:ip,port",
    "LOAD-BALANCER-LOCAL": "hash:ip,port",
    "LOAD-BALANCER-FW": "hash:ip,port",
    "LOAD-BALANCER-SOURCE-IP": "hash:ip,port,ip",
    "LOAD-BALANCER-SOURCE-CIDR": "hash:ip,port,net",
    "NODE-PORT-TCP": "bitmap:port",
    "NODE-PORT-LOCAL-TCP": "bitmap:port",
    "NODE-PORT-UDP": "bitmap:port",
    "NODE-PORT-LOCAL-UDP": "bitmap:port",
    "NODE-PORT-SCTP-HASH": "hash:ip,port",
    "NODE-PORT-LOCAL-SCTP-HASH": "hash:ip,port",
    "HEALTH-CHECK-NODE-PORT": "bitmap:port",
    "IPVS-IPS": "hash:ip",
}

# Protocol, what of the packet is looked up, and the end of the name of the sets.
_NODE_PORTS = (("tcp", "dst", "TCP"), ("udp", "dst", "UDP"), ("sctp", "dst,dst", "SCTP-HASH"))


def set_name(name: str, family: int) -> str:
    """``KUBE-CLUSTER-IP``, or ``KUBE-6-CLUSTER-IP`` cut to what ipset takes."""
    return f"KUBE-{'6-' if family == 6 else ''}{name}"[:LONGEST_SET_NAME]


def chains(frame: ipt.Frame, own_access: Iterable[Rule]) -> dict[str, dict[str, Chain]]:
    """Chains of tables filter and nat; ``own_access`` are the rules that keep the node itself out (V12)."""
    found = {"filter": {**_filter(frame), OUT_FILTER: list(own_access)}, "nat": _nat(frame)}
    return {
        table: {n: Chain(tuple(rules), "ACCEPT" if n in BUILT_IN else "") for n, rules in named.items()}
        for table, named in found.items()
    }


def _filter(frame: ipt.Frame) -> dict[str, list[Rule]]:
    fixed = ipt.fixed_filter(frame)
    firewall = ipt.rule(ipt.comment("kube-proxy firewall rules"), jump=ipt.PROXY_FIREWALL)
    checks = ipt.rule(ipt.comment("kubernetes health check rules"), jump=NODE_PORT)
    known = [("LOAD-BALANCER", "dst,dst"), ("CLUSTER-IP", "dst,dst"), ("EXTERNAL-IP", "dst,dst")]
    known += [("EXTERNAL-IP-LOCAL", "dst,dst"), ("HEALTH-CHECK-NODE-PORT", "dst")]
    allowed = ("LOAD-BALANCER-SOURCE-CIDR", "LOAD-BALANCER-SOURCE-IP")
    # Without a rule of its own a port that nobody uses would reach the node's sockets: the address is local (V9).
    unused = ipt.rule(ipt.new(), _in(frame, "IPVS-IPS", "dst"), jump="REJECT", options=ipt.reject(frame.family))
    return {
        "INPUT": [ipt.rule(ipt.comment("kubernetes ipvs access filter"), jump=FILTER), firewall, checks],
        "FORWARD": [firewall, ipt.rule(ipt.comment("kubernetes forwarding rules"), jump=ipt.FORWARD)],
        "OUTPUT": [ipt.rule(ipt.comment("kubernetes ipvs access filter"), jump=OUT_FILTER)],
        # Unlike iptables mode it drops no invalid packets.
        ipt.FORWARD: [r for r in fixed[ipt.FORWARD].rules if r.target == "ACCEPT"],
        NODE_PORT: [ipt.rule(_in(frame, "HEALTH-CHECK-NODE-PORT", "dst"), jump="ACCEPT")],
        FILTER: [*(ipt.rule(_in(frame, name, how), jump="RETURN") for name, how in known), unused],
        ipt.PROXY_FIREWALL: [ipt.rule(_in(frame, "LOAD-BALANCER-FW", "dst,dst"), jump=RANGES)],
        RANGES: [*(ipt.rule(_in(frame, n, "dst,dst,src"), jump="RETURN") for n in allowed), ipt.rule(jump="DROP")],
    }


def _nat(frame: ipt.Frame) -> dict[str, list[Rule]]:
    fixed = ipt.fixed_nat(frame)
    loopback = ipt.rule(_in(frame, "LOOP-BACK", "dst,dst,src"), jump="MASQUERADE")
    external = _in(frame, "EXTERNAL-IP", "dst,dst")
    found = {name: list(fixed[name].rules) for name in ("PREROUTING", "OUTPUT", "POSTROUTING", ipt.MARK_MASQ)}
    return {
        **found,
        ipt.POSTROUTING: [loopback, *fixed[ipt.POSTROUTING].rules],
        ipt.SERVICES: [
            ipt.rule(_in(frame, "LOAD-BALANCER", "dst,dst"), jump=LOAD_BALANCER),
            _cluster_masquerade(frame),
            ipt.rule(external, jump=ipt.MARK_MASQ),
            ipt.rule(ipt.local("dst"), jump=NODE_PORT),
            *(ipt.rule(_in(frame, n, "dst,dst"), jump="ACCEPT") for n in ("CLUSTER-IP", "LOAD-BALANCER")),
        ],
        LOAD_BALANCER: [
            ipt.rule(_in(frame, "LOAD-BALANCER-LOCAL", "dst,dst"), jump="RETURN"),
            ipt.rule(jump=ipt.MARK_MASQ),
        ],
        NODE_PORT: [
            ipt.rule(ipt.match("", ipt.option("-p", protocol)), _in(frame, name, how), jump=target)
            for protocol, how, suffix in (
                ("tcp", "dst", "TCP"),
                ("udp", "dst", "UDP"),
                ("sctp", "dst,dst", "SCTP-HASH"),
            )
            for name, target in ((f"NODE-PORT-LOCAL-{suffix}", "RETURN"), (f"NODE-PORT-{suffix}", ipt.MARK_MASQ))
        ],
    }


def _cluster_masquerade(frame: ipt.Frame) -> Rule:
    """Who is masqueraded at cluster addresses (K41, K42); without a detection, what the node sent from one (V17)."""
    said = ipt.comment("Kubernetes service cluster ip + port for masquerade purpose")
    if frame.options.masquerade_all:
        return ipt.rule(said, _in(frame, "CLUSTER-IP", "dst,dst"), jump=ipt.MARK_MASQ)
    if frame.elsewhere:
        return ipt.rule(*frame.elsewhere, said, _in(frame, "CLUSTER-IP", "dst,dst"), jump=ipt.MARK_MASQ)
    return ipt.rule(said, _in(frame, "CLUSTER-IP", "src,dst"), jump=ipt.MARK_MASQ)


def _in(frame: ipt.Frame, name: str, how: str) -> Match:
    return ipt.match("set", ipt.option("--match-set", set_name(name, frame.family), how))
