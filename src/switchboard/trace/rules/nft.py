"""What an nftables ruleset, read as text, does with a packet.

In go the text of ``nft list ruleset`` of any author, packets and the node; out come outcomes with probabilities.
A rule that the packet meets and that is not understood refuses the trace: nothing is guessed.
Called by ``cli`` and tests.
Specification: nft(8) of nftables 1.0.6; base chains of a hook run in order of priority, ``accept`` ends one of them,
``drop`` all; a nat chain is asked for the first packet of a flow only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from switchboard.rules.nft import Chain, Rule, Ruleset, Set, Table
from switchboard.rules.nft_parse import parse, parse_verdict
from switchboard.rules.nft_statement import (
    Action,
    Counter,
    Dnat,
    Masquerade,
    Match,
    Reject,
    SetMark,
    Statement,
    Update,
    Verdict,
    VerdictMap,
)
from switchboard.trace.rules.packet import Host, Packet, Traced
from switchboard.trace.rules.values import address_fits, name_fits, number_fits, protocol_fits
from switchboard.trace.rules.walk import ACCEPT, DROP, REJECT, Flow, RefusedError, trace

_DEEPEST = 64
_NEXT_RULE, _NEXT_STATEMENT, _RETURN = "next rule", "next statement", "return"
_FAMILIES = {4: ("ip", "inet"), 6: ("ip6", "inet")}
_ADDRESSES = frozenset({"ip saddr", "ip daddr", "ip6 saddr", "ip6 daddr"})


class NftRules:
    """A ruleset that has been read once and is asked about many packets."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self.ruleset: Ruleset
        self.ruleset, self.findings = parse(text)
        self._hooks: dict[tuple[int, str], list[tuple[int, Table, str, Chain]]] = {}
        for table in self.ruleset.tables:
            for name, chain in table.chains.items():
                for family in (f for f, names in _FAMILIES.items() if table.family in names and chain.hook):
                    assert chain.hook
                    place = self._hooks.setdefault((family, chain.hook.hook), [])
                    place.append((chain.hook.priority, table, name, chain))
        for found in self._hooks.values():
            found.sort(key=lambda entry: entry[0])
        self._intervals = {
            id(s): [k for k in s.elements if "/" in k or "-" in k] for t in self.ruleset.tables for s in t.sets.values()
        }

    def trace(self, packet: Packet, host: Host) -> Traced:
        """Everything that can happen to the packet; rules that it does not meet do not matter."""
        return trace(packet, host, self._hook, self._line)

    def _line(self, text: str) -> int:
        return next((n for n, line in enumerate(self._lines, 1) if text and text in " ".join(line.split())), 0)

    def _hook(self, flow: Flow) -> str:
        """The base chains of one hook, in order."""
        before = flow.translated, flow.masquerade
        for _, table, name, chain in self._hooks.get((flow.packet.family, flow.hook), ()):
            assert chain.hook
            decided = (flow.translated, flow.masquerade) != before
            if chain.hook.type == "nat" and (not flow.nat or decided):
                continue
            verdict = _Walker(self, flow, table).chain(name, 0)
            if verdict in (_RETURN, _NEXT_RULE):
                verdict = chain.hook.policy
            if verdict != ACCEPT:
                return verdict
        return ACCEPT

    def elements(self, set_: Set, values: tuple[str, ...], expressions: tuple[str, ...]) -> str | None:
        """The data of the element that these values fall in (empty in sets), None when there is none."""
        key = " . ".join(values)
        if key in set_.elements:
            return set_.elements[key]
        for pattern in self._intervals[id(set_)]:
            parts = pattern.split(" . ")
            if all(_fits(e, v, p) for e, v, p in zip(expressions, values, parts, strict=True)):
                return set_.elements[pattern]
        return None


class _Walker:
    """One pass of a flow through one base chain."""

    def __init__(self, rules: NftRules, flow: Flow, table: Table) -> None:
        self.rules, self.flow, self.table = rules, flow, table

    def chain(self, name: str, depth: int) -> str:
        """The verdict of a chain, or that its caller goes on."""
        found = self.table.chains.get(name)
        if found is None or depth > _DEEPEST:
            raise RefusedError("This chain does not exist, or calls itself:", name)
        for rule in found.rules:
            verdict = self._rule(name, rule, depth)
            if verdict != _NEXT_RULE:
                return verdict
        return _RETURN

    def _rule(self, name: str, rule: Rule, depth: int) -> str:
        for statement in rule.statements:
            before = len(self.flow.steps)
            verdict = self._statement(statement, depth, rule, name)
            if verdict == _NEXT_STATEMENT:
                continue
            if len(self.flow.steps) == before and verdict not in (_NEXT_RULE, _RETURN):
                self._passed(name, rule)
            return verdict
        if rule.statements and not isinstance(rule.statements[-1], Match | Counter):
            self._passed(name, rule)
        return _NEXT_RULE

    def _passed(self, name: str, rule: Rule) -> None:
        self.flow.passed(f"{self.table.family} {self.table.name} {name}", rule.render)

    def _statement(self, statement: Statement, depth: int, rule: Rule, name: str) -> str:
        flow = self.flow
        match statement:
            case Match():
                return _NEXT_STATEMENT if self._match(statement) else _NEXT_RULE
            case Verdict():
                return self._verdict(statement, depth, rule, name)
            case VerdictMap():
                data = self._looked_up(statement.key, statement.name, dict(statement.pairs))
                if data is None:
                    return _NEXT_RULE
                return self._verdict(_verdict_of(data), depth, rule, name)
            case Dnat():
                return self._translate(statement)
            case Masquerade():
                flow.masquerade = True
                return ACCEPT
            case Reject():
                return REJECT
            case SetMark(operator="|", bits=bits):
                flow.mark |= bits
            case SetMark(operator="^", bits=bits):
                flow.mark ^= bits
            case SetMark(operator="&", bits=bits):
                flow.mark &= bits
            case Update() | Counter():
                pass
            case _:
                raise RefusedError("The rule is not understood:", statement.render())
        return _NEXT_STATEMENT

    def _verdict(self, verdict: Verdict, depth: int, rule: Rule, name: str) -> str:
        match verdict.action:
            case Action.JUMP | Action.GOTO:
                self._passed(name, rule)
                found = self.chain(verdict.chain, depth + 1)
                return _NEXT_RULE if found == _RETURN and verdict.action is Action.JUMP else found
            case Action.RETURN:
                return _RETURN
            case Action.CONTINUE:
                return _NEXT_RULE
            case Action.DROP:
                return DROP
        return ACCEPT

    def _translate(self, dnat: Dnat) -> str:
        """The new destination; a map without the element leaves the packet to the next rule."""
        address, port = dnat.address, dnat.port
        if dnat.key:
            data = self._looked_up(dnat.key, dnat.name, dict(dnat.pairs))
            if not isinstance(data, str):
                return _NEXT_RULE
            address, _, number = data.partition(" . ")
            port = int(number or 0)
        self.flow.destination, self.flow.port = address, port or self.flow.port
        self.flow.translated = True
        return ACCEPT

    def _looked_up(self, key: tuple[str, ...], name: str, pairs: Mapping[str, object]) -> object | None:
        """What a map, named or not, has for the packet."""
        values = self._values(key)
        if values is None:
            return None
        if name:
            return self.rules.elements(self._set(name), values, key)
        exact = pairs.get(" . ".join(values))
        if exact is not None:
            return exact
        fitting = (d for p, d in pairs.items() if _all_fit(key, values, p.split(" . ")))
        return next(fitting, None)

    def _set(self, name: str) -> Set:
        found = self.table.sets.get(name)
        if found is None:
            raise RefusedError("This set does not exist:", f"@{name}")
        return found

    def _match(self, match: Match) -> bool:
        if len(match.left) == 1 and match.left[0].startswith("numgen"):
            return self._chance(match)
        values = self._values(match.left)
        if values is None:
            return False
        if match.right[0].startswith("@"):
            name = match.right[0][1:]
            set_ = self._set(name)
            if set_.dynamic:
                found = " . ".join(values) in self.flow.host.remembered.get(name, ())
            else:
                found = self.rules.elements(set_, values, match.left) is not None
        else:
            found = any(_all_fit(match.left, values, p.split(" . ")) for p in match.right)
        return found != match.negate

    def _chance(self, match: Match) -> bool:
        """A random number is (not) among the values: two ways, however many numbers there are."""
        modulus = int(match.left[0].split()[-1])
        hits = sum(any(number_fits(n, p) for p in match.right) for n in range(modulus))
        likely = Fraction(modulus - hits if match.negate else hits, modulus)
        return self.flow.pick((likely, 1 - likely)) == 0

    def _values(self, expressions: Iterable[str]) -> tuple[str, ...] | None:
        """What the packet has for the expressions, None when it does not have one of them."""
        found = []
        for expression in expressions:
            value = self._value(expression)
            if value is None:
                return None
            found.append(value)
        return tuple(found)

    def _value(self, expression: str) -> str | None:
        flow, words = self.flow, expression.split()
        family = "ip" if flow.packet.family == 4 else "ip6"
        match words:
            case ["ip" | "ip6" as wanted, "saddr" | "daddr" as which]:
                address = flow.source if which == "saddr" else flow.destination
                return address if wanted == family else None
            case ["ip", "protocol"] | ["ip6", "nexthdr"]:
                return flow.protocol if words[0] == family else None
            case ["meta", "l4proto"]:
                return flow.protocol
            case ["meta", "nfproto"]:
                return {"ip": "ipv4", "ip6": "ipv6"}[family]
            case ["th" | "tcp" | "udp" | "sctp" as wanted, "dport" | "sport" as which]:
                if wanted not in ("th", flow.protocol):
                    return None
                return str(self._port(which, expression))
            case ["ct", "state"]:
                return "established" if flow.packet.established else "new"
            case ["ct", "status"]:
                return "dnat" if flow.translated else "confirmed"
            case ["meta", "mark"]:
                return str(flow.mark)
            case ["meta", "mark", "&", bits]:
                return str(flow.mark & int(bits, 0))
            case ["fib", "saddr" | "daddr" as which, "type"]:
                address = flow.source if which == "saddr" else flow.destination
                return "local" if flow.host.local(address) else "unicast"
            case ["iifname"] | ["oifname"]:
                # A hook without a device sees an empty name, which differs from every other.
                return flow.interface(expression, out=expression == "oifname")
            case ["numgen", "random", "mod", modulus]:
                count = int(modulus)
                return str(flow.pick((Fraction(1, count),) * count))
        raise RefusedError("The expression is not understood:", expression)

    def _port(self, which: str, text: str) -> int:
        if which == "sport" and not self.flow.packet.source_port:
            raise RefusedError("The rule asks for the source port, which is not known:", text)
        return self.flow.port if which == "dport" else self.flow.packet.source_port


def _verdict_of(data: object) -> Verdict:
    """The verdict in a map; named ones hold it as text."""
    if isinstance(data, Verdict):
        return data
    try:
        return parse_verdict(str(data))
    except ValueError:
        raise RefusedError("The verdict is not understood:", str(data)) from None


def _all_fit(expressions: tuple[str, ...], values: tuple[str, ...], patterns: list[str]) -> bool:
    if len(patterns) != len(values):
        raise RefusedError("The key has another shape than the values:", " . ".join(patterns))
    return all(_fits(e, v, p) for e, v, p in zip(expressions, values, patterns, strict=True))


def _fits(expression: str, value: str, pattern: str) -> bool:
    """Whether a value of a packet is what a pattern says."""
    if expression in _ADDRESSES:
        return address_fits(value, pattern)
    if expression.endswith(("dport", "sport")) or expression.startswith(("meta mark", "numgen")):
        return number_fits(int(value), pattern)
    if expression in ("meta l4proto", "ip protocol", "ip6 nexthdr"):
        return protocol_fits(value, pattern)
    if expression in ("iifname", "oifname"):
        return name_fits(value, pattern, "*")
    return value in pattern.split(",")
