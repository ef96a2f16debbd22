"""The statements of an nftables rule, typed: the vocabulary that this project writes and reads, and no more.

In go expressions as words (``ip daddr``) and values as nft writes them; out comes text in the form in which
``nft list ruleset`` prints it, so that a listing and a rendering compare equal.
Called by ``rules.nft``, ``rules.nft_parse`` and ``compile.modes``.
Specification: nft(8) of nftables 1.0.6, sections EXPRESSIONS and STATEMENTS.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

#: Expressions that a rule may look at; those with a parameter are in ``PARAMETRISED``.
EXPRESSIONS = frozenset(
    {
        *("ip saddr", "ip daddr", "ip6 saddr", "ip6 daddr", "ip protocol", "ip6 nexthdr"),
        *("th dport", "th sport", "tcp dport", "tcp sport", "udp dport", "udp sport", "sctp dport", "sctp sport"),
        *("ct state", "ct status", "ct mark", "iifname", "oifname", "iif", "oif"),
        *("meta l4proto", "meta nfproto", "meta mark", "fib saddr type", "fib daddr type"),
    }
)
PARAMETRISED = re.compile(r"numgen random mod [1-9][0-9]*|meta mark & 0x[0-9a-f]{8}")


def known(expression: str) -> bool:
    """Whether this project knows what an expression reads."""
    return expression in EXPRESSIONS or PARAMETRISED.fullmatch(expression) is not None


def _braces(items: tuple[str, ...]) -> str:
    return "{ " + ", ".join(items) + " }"


def _concatenation(key: tuple[str, ...]) -> str:
    return " . ".join(key)


class Match(msgspec.Struct, frozen=True):
    """The concatenated expressions ``left`` are (not) among ``right``: values, or one reference ``@set``."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    negate: bool = False

    def render(self) -> str:
        """``ip saddr != { 10.0.0.0/8, 192.168.0.1 }``."""
        right = self.right[0] if len(self.right) == 1 else _braces(self.right)
        return f"{_concatenation(self.left)} {'!= ' if self.negate else ''}{right}"


class Action(StrEnum):
    """What a verdict does; JUMP and GOTO name a chain, the others end or leave the chain."""

    ACCEPT = "accept"
    DROP = "drop"
    RETURN = "return"
    CONTINUE = "continue"
    JUMP = "jump"
    GOTO = "goto"


class Verdict(msgspec.Struct, frozen=True):
    """The verdict; ``chain`` is set for JUMP and GOTO only."""

    action: Action
    chain: str = ""

    def render(self) -> str:
        """``goto balance-3`` or ``drop``."""
        return f"{self.action} {self.chain}" if self.chain else str(self.action)


class VerdictMap(msgspec.Struct, frozen=True):
    """Look the key up for a verdict, in the named map, or in ``pairs`` (value, verdict) when the name is empty."""

    key: tuple[str, ...]
    name: str = ""
    pairs: tuple[tuple[str, Verdict], ...] = ()

    def render(self) -> str:
        """``ip daddr . meta l4proto . th dport vmap @service-ips``."""
        anonymous = _braces(tuple(f"{value} : {verdict.render()}" for value, verdict in self.pairs))
        return f"{_concatenation(self.key)} vmap {'@' + self.name if self.name else anonymous}"


class Dnat(msgspec.Struct, frozen=True, kw_only=True):
    """Translate the destination: to ``address`` and ``port``, or to what map ``name`` holds under ``key``.

    A map without a name has ``pairs`` of value and data.  ``family`` is ``ip`` or ``ip6`` and is written for maps only.
    """

    family: str = ""
    key: tuple[str, ...] = ()
    name: str = ""
    address: str = ""
    port: int = 0
    pairs: tuple[tuple[str, str], ...] = ()

    def render(self) -> str:
        """``dnat ip to KEY map @endpoints`` or ``dnat to 10.0.0.1:80``."""
        if self.pairs:
            data = _braces(tuple(f"{value} : {data}" for value, data in self.pairs))
            return f"dnat {self.family} to {_concatenation(self.key)} map {data}"
        if self.name:
            return f"dnat {self.family} to {_concatenation(self.key)} map @{self.name}"
        address = f"[{self.address}]" if ":" in self.address and self.port else self.address
        return f"dnat to {address}:{self.port}" if self.port else f"dnat to {address}"


class Masquerade(msgspec.Struct, frozen=True):
    """Rewrite the source to the outgoing interface's address; ``flags`` as nft writes them (``fully-random``)."""

    flags: tuple[str, ...] = ()

    def render(self) -> str:
        """``masquerade fully-random``."""
        return " ".join(("masquerade", ",".join(self.flags))).rstrip()


class Reject(msgspec.Struct, frozen=True):
    """Refuse with an ICMP error, port unreachable unless ``with_`` says otherwise (``tcp reset``)."""

    with_: str = ""

    def render(self) -> str:
        """``reject`` or ``reject with tcp reset``."""
        return f"reject with {self.with_}" if self.with_ else "reject"


class SetMark(msgspec.Struct, frozen=True):
    """Change the packet mark: ``operator`` is ``|``, ``^`` or ``&``, ``bits`` the other operand."""

    operator: str
    bits: int

    def render(self) -> str:
        """``meta mark set meta mark | 0x00004000``."""
        return f"meta mark set meta mark {self.operator} 0x{self.bits:08x}"


class Update(msgspec.Struct, frozen=True):
    """Put the key into a dynamic set, or refresh it, for ``seconds`` (0: the time-out of the set)."""

    name: str
    key: tuple[str, ...]
    seconds: int = 0

    def render(self) -> str:
        """``update @affinity { ip saddr timeout 10800s }``."""
        timeout = f" timeout {self.seconds}s" if self.seconds else ""
        return f"update @{self.name} {{ {_concatenation(self.key)}{timeout} }}"


class Counter(msgspec.Struct, frozen=True):
    """Counts packets and bytes; the figures are state of the kernel and not part of the rule."""

    def render(self) -> str:
        """``counter``."""
        return "counter"


class Unknown(msgspec.Struct, frozen=True):
    """Text that this project does not understand, kept as read; a tracer must refuse it."""

    text: str

    def render(self) -> str:
        """The text as read."""
        return self.text


Statement = Match | Verdict | VerdictMap | Dnat | Masquerade | Reject | SetMark | Update | Counter | Unknown


def chains_of(statement: Statement) -> tuple[str, ...]:
    """The chains that a statement can jump or go to by itself (not through a named map)."""
    match statement:
        case Verdict(chain=chain) if chain:
            return (chain,)
        case VerdictMap(pairs=pairs):
            return tuple(verdict.chain for _, verdict in pairs if verdict.chain)
    return ()


def sets_of(statement: Statement) -> tuple[str, ...]:
    """The named sets and maps that a statement refers to."""
    match statement:
        case Match(right=(reference,)) if reference.startswith("@"):
            return (reference[1:],)
        case VerdictMap(name=name) | Dnat(name=name) | Update(name=name) if name:
            return (name,)
    return ()


def expressions_of(statement: Statement) -> tuple[str, ...]:
    """The expressions that a statement reads from the packet."""
    match statement:
        case Match(left=key) | VerdictMap(key=key) | Dnat(key=key) | Update(key=key):
            return key
    return ()
