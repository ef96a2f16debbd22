"""The way of a packet through a node's hooks, whatever language the rules are in, with every random choice followed.

In go a packet, the node, and a function that evaluates one hook; out comes a ``Traced``.
Called by the evaluators beside this file.
Specification: the netfilter hooks of Linux: prerouting, input or forward, output, postrouting; nf_nat(9) translates
the first packet of a flow only, once in each direction.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from fractions import Fraction

from switchboard.base.findings import Finding
from switchboard.trace.rules.packet import Host, Origin, Outcome, Packet, Step, Traced, Verdict

# More alternatives than any Service has endpoints; rules that branch beyond it are refused rather than followed.
_MOST = 200_000
ACCEPT, DROP, REJECT = "accept", "drop", "reject"


class RefusedError(Exception):
    """A rule asks or says something that is not understood; becomes a finding at the end of this package.

    ``text`` are the words of the rule, ``why`` a sentence.
    """

    def __init__(self, why: str, text: str) -> None:
        super().__init__(why)
        self.why, self.text = why, text


class Flow:
    """One packet on one of its possible ways; changed by the rules that it meets."""

    def __init__(self, packet: Packet, host: Host, script: list[int]) -> None:
        self.packet, self.host = packet, host
        self.source, self.destination, self.port, self.mark = (
            packet.source,
            packet.destination,
            packet.port,
            packet.mark,
        )
        self.translated = self.masquerade = False
        # After the first pass over a hook of one kind, nat has been decided there.
        self.nat = not packet.established
        self.hook = ""
        self.steps: list[tuple[str, Callable[[], str]]] = []
        self._script, self.picked = script, list[tuple[int, Sequence[Fraction]]]()

    @property
    def protocol(self) -> str:
        """``tcp``, ``udp`` or ``sctp``."""
        return self.packet.protocol.lower()

    def pick(self, weights: Sequence[Fraction]) -> int:
        """One of several alternatives; every one with a weight will be taken on some way."""
        at = len(self.picked)
        choice = self._script[at] if at < len(self._script) else _next(weights, -1)
        assert choice is not None
        self.picked.append((choice, weights))
        return choice

    def passed(self, place: str, text: Callable[[], str]) -> None:
        """Remember a rule that matched."""
        self.steps.append((place, text))

    def interface(self, text: str, *, out: bool) -> str:
        """The name of the interface, empty in hooks that have none yet; refuses when it is not known."""
        absent = ("prerouting", "input") if out else ("output",)
        if self.hook in absent or (not out and self.packet.origin is Origin.PROCESS):
            return ""
        name = self.packet.out_interface if out else self.packet.interface
        if not name:
            raise RefusedError("The rule asks for an interface, and that of the packet is not known.", text)
        return name


Evaluate = Callable[[Flow], str]


def _next(weights: Sequence[Fraction], after: int) -> int | None:
    return next((i for i, w in enumerate(weights) if i > after and w > 0), None)


def travel(flow: Flow, evaluate: Evaluate) -> str:
    """All hooks in order; ``evaluate`` looks at ``flow.hook`` and returns ACCEPT, DROP or REJECT."""
    first = "output" if flow.packet.origin is Origin.PROCESS else "prerouting"
    hooks = [first]
    while hooks:
        flow.hook = hooks.pop(0)
        verdict = evaluate(flow)
        if verdict != ACCEPT:
            return verdict
        if flow.hook == first and _martian(flow):
            flow.passed("routing", lambda: "loopback addresses do not leave or enter the node")
            return DROP
        if flow.hook == first:
            here = flow.host.local(flow.destination)
            if first == "output":
                hooks = ["postrouting", *(["prerouting", "input"] if here else [])]
            else:
                hooks = ["input"] if here else ["forward", "postrouting"]
        elif flow.hook == "postrouting":
            # What comes back in by loopback has been decided about.
            flow.nat = False
    return ACCEPT


def _martian(flow: Flow) -> bool:
    """Loopback and the outside do not meet, unless ``route_localnet`` says so (IPv4 only)."""
    if flow.host.route_loopback and flow.packet.family == 4:
        return False
    end = flow.source if flow.packet.origin is Origin.PROCESS else flow.destination
    beyond = flow.packet.origin is Origin.WIRE or not flow.host.local(flow.destination)
    return beyond and ipaddress.ip_address(end).is_loopback


def trace(packet: Packet, host: Host, evaluate: Evaluate, line_of: Callable[[str], int]) -> Traced:
    """Every way of the packet; equal ends are one outcome, with the steps of the first.

    ``line_of`` finds the line of a text that was refused, 0 for none.
    """
    found: dict[tuple[Verdict, str, int, bool], Outcome] = {}
    script: list[int] = []
    for _ in range(_MOST):
        flow = Flow(packet, host, script)
        try:
            outcome = _outcome(flow, travel(flow, evaluate))
        except RefusedError as refused:
            return Traced((), (_refusal(refused, line_of(refused.text)),))
        key = (outcome.verdict, outcome.address, outcome.port, outcome.masquerade)
        found[key] = _joined(found.get(key), outcome)
        following = _following(flow.picked)
        if following is None:
            return Traced(tuple(found.values()))
        script = following
    return Traced((), (_refusal(RefusedError(f"The rules have more than {_MOST} ways for this packet.", ""), 0),))


def _following(picked: list[tuple[int, Sequence[Fraction]]]) -> list[int] | None:
    """The choices of the next way, in order; None after the last."""
    left = list(picked)
    while left:
        choice, weights = left.pop()
        later = _next(weights, choice)
        if later is not None:
            return [*(c for c, _ in left), later]
    return None


def _outcome(flow: Flow, verdict: str) -> Outcome:
    probability = Fraction(1)
    for choice, weights in flow.picked:
        probability *= weights[choice]
    ends = {DROP: Verdict.DROPPED, REJECT: Verdict.REJECTED}
    end = ends.get(verdict, Verdict.TRANSLATED if flow.translated else Verdict.PASSED)
    gone = end in ends.values()
    return Outcome(
        verdict=end,
        address=flow.packet.destination if gone else flow.destination,
        port=flow.packet.port if gone else flow.port,
        masquerade=flow.masquerade and not gone,
        probability=probability,
        steps=tuple(Step(place, text()) for place, text in flow.steps),
    )


def _joined(before: Outcome | None, after: Outcome) -> Outcome:
    if before is None:
        return after
    return Outcome(
        verdict=before.verdict,
        address=before.address,
        port=before.port,
        masquerade=before.masquerade,
        probability=before.probability + after.probability,
        steps=before.steps,
    )


def _refusal(refused: RefusedError, line: int) -> Finding:
    return Finding(
        reference="rule-not-understood",
        message=f"{refused.why} {refused.text[:200]}".rstrip(),
        object=f"line {line}" if line else "",
        hint="What happens to the packet cannot be told.",
    )
