"""Evaluates the rules of the hook *forward* for one packet, from their text: a second opinion about what they mean.

It knows the few statements that ``compile.policy`` writes and refuses every other one.
Loaded with ``runpy`` by tests; the kernel has the last word in ``tests/live``.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from switchboard.compile.policy import TABLE
from switchboard.rules.nft import Ruleset, Table
from switchboard.rules.nft_statement import Action, Match, Verdict, VerdictMap
from switchboard.view.policy_decision import End


class Packet:
    """The fields of a new connection's first packet; ``state`` is that of its connection."""

    def __init__(self, source: str, destination: str, protocol: str, port: int, state: str = "new") -> None:
        family = "ip6" if ":" in destination else "ip"
        name = protocol.lower()
        self.family = family
        self.fields: dict[str, str] = {
            f"{family} saddr": source,
            f"{family} daddr": destination,
            "meta l4proto": name,
            "th dport": str(port),
            f"{name} dport": str(port),
            "ct state": state,
        }


def passes(table: Table | None, packet: Packet) -> bool:
    """Whether the packet gets through every chain of the hook, in the order of priorities."""
    if table is None:
        return True
    assert table.family == packet.family
    hooked = [c for c in table.chains.values() if c.hook]
    assert {(c.hook.type, c.hook.hook, c.hook.policy) for c in hooked} <= {("filter", "forward", "accept")}
    assert len({c.hook.priority for c in hooked}) == len(hooked)
    return all(_chain(table, c, packet) != "drop" for c in sorted(hooked, key=lambda c: c.hook.priority))


def _chain(table: Table, chain: Any, packet: Packet) -> str:
    """``accept``, ``drop`` or ``continue`` when the chain ends without a verdict."""
    for rule in chain.rules:
        for statement in rule.statements:
            if isinstance(statement, Match):
                if not _match(table, statement, packet):
                    break
                continue
            verdict = statement
            if isinstance(statement, VerdictMap):
                found = _element(table.sets[statement.name].elements, _key(statement.key, packet))
                if found is None:
                    break
                word, _, target = found.partition(" ")
                verdict = Verdict(Action(word), target)
            assert isinstance(verdict, Verdict), statement
            if verdict.action in (Action.ACCEPT, Action.DROP):
                return str(verdict.action)
            assert verdict.action in (Action.JUMP, Action.GOTO)
            ended = _chain(table, table.chains[verdict.chain], packet)
            if ended != "continue" or verdict.action is Action.GOTO:
                return ended
    return "continue"


def _key(expressions: tuple[str, ...], packet: Packet) -> list[str] | None:
    """The values, None when the packet has no such field (another protocol's port)."""
    values = [packet.fields.get(e) for e in expressions]
    return None if None in values else values


def _match(table: Table, match: Match, packet: Packet) -> bool:
    assert not match.negate
    key = _key(match.left, packet)
    if len(match.right) == 1 and match.right[0].startswith("@"):
        return _element(table.sets[match.right[0][1:]].elements, key) is not None
    return key is not None and any(_equal(key[0], value) for value in match.right)


def _element(elements: dict[str, str], key: list[str] | None) -> str | None:
    if key is None:
        return None
    exact = elements.get(" . ".join(key))
    if exact is not None or len(key) > 1:
        return exact
    return next((data for element, data in elements.items() if "/" in element and _equal(key[0], element)), None)


def _equal(value: str, wanted: str) -> bool:
    if "/" in wanted:
        return ipaddress.ip_address(value) in ipaddress.ip_network(wanted)
    first, dash, last = wanted.partition("-")
    return int(first) <= int(value) <= int(last) if dash else value == wanted


def allowed(rulesets: dict[str, Ruleset], source: End, destination: End, protocol: str, port: int) -> bool:
    """Whether a connection passes the nodes that forward it; a node's traffic with its own pods passes other hooks."""
    packet = Packet(source.address, destination.address, protocol, port)
    pairs = ((source, destination), (destination, source))
    nodes = {one.pod.node for one, other in pairs if one.pod and not (other.node and other.node.name == one.pod.node)}
    return all(passes(rulesets[node].table(packet.family, TABLE), packet) for node in sorted(nodes))
