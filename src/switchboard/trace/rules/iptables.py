"""What iptables rules of one family, read as text, do with a packet.

In go the text of ``iptables-save`` or ``ip6tables-save`` of any author, packets and the node; out come outcomes with
probabilities.  A rule that the packet meets and that is not understood refuses the trace: nothing is guessed.
Called by ``cli`` and tests.
Specification: iptables(8), iptables-extensions(8); in each hook the tables raw, mangle, nat, filter in this order
(before routing; after it nat comes last).
"""

from __future__ import annotations

from fractions import Fraction

from switchboard.rules.iptables import TARGETS, Chain, Match, Option, Rule, Unknown, parse
from switchboard.trace.rules.packet import Host, Packet, Traced
from switchboard.trace.rules.values import address_fits, name_fits, number_fits, protocol_fits
from switchboard.trace.rules.walk import ACCEPT, DROP, REJECT, Flow, RefusedError, trace

_DEEPEST = 64
_NEXT_RULE, _RETURN = "next rule", "return"
_TABLES = {
    "prerouting": ("raw", "mangle", "nat"),
    "input": ("mangle", "filter", "security", "nat"),
    "forward": ("mangle", "filter", "security"),
    "output": ("raw", "mangle", "nat", "filter", "security"),
    "postrouting": ("mangle", "nat"),
}


class IptablesRules:
    """Rules that have been read once and are asked about many packets; ``family`` is 4 or 6."""

    def __init__(self, text: str, family: int) -> None:
        self._lines = text.splitlines()
        self.family = family
        self.ruleset, self.findings = parse(text, family)

    def trace(self, packet: Packet, host: Host) -> Traced:
        """Everything that can happen to the packet; rules that it does not meet do not matter."""
        return trace(packet, host, self._hook, self._line)

    def _line(self, text: str) -> int:
        return next((n for n, line in enumerate(self._lines, 1) if text and text in line), 0)

    def _hook(self, flow: Flow) -> str:
        if flow.packet.family != self.family:
            raise RefusedError(f"The rules are those of IPv{self.family}, and the packet is not.", "")
        for table in _TABLES[flow.hook]:
            base = self.ruleset.chain(table, flow.hook.upper())
            if base is None or (table == "nat" and not flow.nat):
                continue
            verdict = self._chain(flow, table, flow.hook.upper(), base, 0)
            if verdict in (_RETURN, _NEXT_RULE):
                verdict = (base.policy or ACCEPT).lower()
            if verdict != ACCEPT:
                return verdict
        return ACCEPT

    def _chain(self, flow: Flow, table: str, name: str, chain: Chain, depth: int) -> str:
        if depth > _DEEPEST:
            raise RefusedError("This chain calls itself:", name)
        for rule in chain.rules:
            if all(_matches(flow, m, rule) for m in rule.matches):
                verdict = self._target(flow, table, name, rule, depth)
                if verdict != _NEXT_RULE:
                    return verdict
        return _RETURN

    def _target(self, flow: Flow, table: str, name: str, rule: Rule, depth: int) -> str:
        if rule.target:
            flow.passed(f"{table} {name}", rule.render)
        match rule.target:
            case "":
                return _NEXT_RULE
            case "ACCEPT":
                return ACCEPT
            case "DROP":
                return DROP
            case "REJECT":
                return REJECT
            case "RETURN":
                flow.steps.pop()
                return _RETURN
            case "MASQUERADE":
                flow.masquerade = True
                return ACCEPT
            case "MARK":
                flow.mark = _marked(flow.mark, rule)
                return _NEXT_RULE
            case "DNAT":
                return _translate(flow, rule)
        chain = self.ruleset.chain(table, rule.target)
        if chain is None or rule.target in TARGETS:
            raise RefusedError("The target is not understood:", rule.render())
        found = self._chain(flow, table, rule.target, chain, depth + 1)
        return found if rule.goto or found != _RETURN else _NEXT_RULE


def _marked(mark: int, rule: Rule) -> int:
    (option,) = rule.options
    number, _, mask = option.values[0].partition("/")
    value = int(number, 0)
    match option.name:
        case "--or-mark":
            return mark | value
        case "--xor-mark":
            return mark ^ value
    return (mark & ~(int(mask, 0) if mask else 0xFFFFFFFF)) ^ value


def _translate(flow: Flow, rule: Rule) -> str:
    address, _, port = rule.options[0].values[0].rpartition(":")
    if not port.isdigit() or "-" in address:
        raise RefusedError("The new destination is not one address and port:", rule.render())
    flow.destination, flow.port, flow.translated = address.strip("[]"), int(port), True
    return ACCEPT


def _matches(flow: Flow, match: Match | Unknown, rule: Rule) -> bool:
    if isinstance(match, Unknown):
        raise RefusedError("The rule is not understood:", match.text)
    match match.module:
        case "comment":
            return True
        case "statistic":
            return _chance(flow, match)
        case "recent":
            return _recent(flow, match)
        case "set":
            raise RefusedError("The rule asks for a set whose content is not part of the text:", rule.render())
        case "tcp" | "udp" | "sctp" if match.module != flow.protocol:
            return False
    return all(_option(flow, o, match.render()) != o.negate for o in match.options)


def _option(flow: Flow, option: Option, text: str) -> bool:
    """Whether the option holds, its negation left out."""
    if len(option.values) != 1:
        raise RefusedError("What the rule asks is not known of the packet:", text)
    (value,) = option.values
    match option.name:
        case "-s":
            return address_fits(flow.source, value)
        case "-d":
            return address_fits(flow.destination, value)
        case "-p":
            return protocol_fits(flow.protocol, value)
        case "-i" | "-o":
            return name_fits(flow.interface(text, out=option.name == "-o"), value, "+")
        case "--dport":
            return number_fits(flow.port, value, ":")
        case "--sport" if flow.packet.source_port:
            return number_fits(flow.packet.source_port, value, ":")
        case "--ctstate":
            states = {"ESTABLISHED" if flow.packet.established else "NEW", *(["DNAT"] if flow.translated else [])}
            return not states.isdisjoint(value.split(","))
        case "--src-type" | "--dst-type" if value in ("LOCAL", "UNICAST"):
            address = flow.source if option.name == "--src-type" else flow.destination
            return flow.host.local(address) == (value == "LOCAL")
        case "--mark":
            number, _, mask = value.partition("/")
            return flow.mark & (int(mask, 0) if mask else 0xFFFFFFFF) == int(number, 0)
    raise RefusedError("What the rule asks is not known of the packet:", text)


def _chance(flow: Flow, match: Match) -> bool:
    """The kernel keeps 31 bits of a probability; the fraction that was meant is the nearest simple one."""
    said = {o.name: o for o in match.options}
    mode, probability = said.get("--mode"), said.get("--probability")
    if mode is None or mode.values != ("random",) or probability is None:
        raise RefusedError("The statistic is not understood:", match.render())
    likely = Fraction(probability.values[0]).limit_denominator(20000)
    return (flow.pick((likely, 1 - likely)) == 0) != probability.negate


def _recent(flow: Flow, match: Match) -> bool:
    """A client that was there before; how long ago is up to whoever says what is remembered."""
    said = {o.name: o for o in match.options}
    if "--name" not in said or len({"--rcheck", "--set"} & said.keys()) != 1:
        raise RefusedError("The list of recent clients is not understood:", match.render())
    if "--set" in said:
        return not said["--set"].negate
    known = flow.host.remembered.get(said["--name"].values[0], frozenset())
    return (flow.source in known) != said["--rcheck"].negate
