"""Read what ``nft list ruleset`` prints, or what ``rules.nft`` renders, back into typed rules.

In goes text; out come a ``Ruleset`` and findings.  A statement that is not understood is kept as ``Unknown``
with a finding, because whoever reads somebody else's rules must refuse to guess.
Called by ``apply.nft`` (to learn what is applied) and ``trace``.
Specification: nft(8) of nftables 1.0.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from switchboard.base.findings import Finding, Severity
from switchboard.rules.nft import Chain, Hook, Rule, Ruleset, Set, Table
from switchboard.rules.nft_statement import (
    EXPRESSIONS,
    Action,
    Counter,
    Dnat,
    Masquerade,
    Match,
    Reject,
    SetMark,
    Statement,
    Unknown,
    Update,
    Verdict,
    VerdictMap,
)

_PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
_HOOK = re.compile(r"type (\w+) hook (\w+)(?: device \S+)? priority (\w+|-\d+)(?: ([+-]) (\d+))?; policy (\w+);")
_TOKEN = re.compile(r'"[^"]*"|[{},]|[^\s{},]+')
_CONSTANT = re.compile(r'"[^"]*"|@?[A-Za-z0-9_:][A-Za-z0-9_:./*-]*')
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_BLOCK = re.compile(r"(chain|set|map) (\S+) \{")
_COMMENT = re.compile(r' comment "[^"]*"')
# To the end of the line, unless it stands within quotes.
_REMARK = re.compile(r'\s+#[^"]*$')
_LONGEST = 5


class _NotUnderstoodError(Exception):
    """The rest of a rule is outside of the vocabulary; never leaves this module."""


def parse(text: str) -> tuple[Ruleset, tuple[Finding, ...]]:
    """The ruleset in a text, and a finding for each line that is not understood."""
    reader = _Reader(text.splitlines())
    return Ruleset(tuple(reader.tables())), tuple(reader.findings)


def seconds(duration: str) -> int:
    """The seconds of a duration such as ``2h59m30s``; milliseconds are cut off."""
    parts = re.findall(r"(\d+)(ms|[dhms])", duration)
    return sum(int(number) * _SECONDS.get(unit, 0) for number, unit in parts)


class _Reader:
    """Walks over lines; each method consumes one block, up to its closing brace."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0
        self.findings: list[Finding] = []

    def tables(self) -> list[Table]:
        tables = []
        while self.at < len(self.lines):
            line = self._next()
            words = line.split()
            if len(words) == 4 and words[0] == "table" and words[3] == "{":
                tables.append(self._table(words[1], words[2]))
            elif line and not line.startswith("#"):
                self._fault(line)
        return tables

    def _next(self) -> str:
        self.at += 1
        return _REMARK.sub("", self.lines[self.at - 1].strip())

    def _fault(self, line: str, number: int = 0) -> None:
        """``number`` counts from 1; 0 is the line that was read last."""
        message = f"The line {line[:120]!r} of an nftables ruleset is not understood."
        self.findings.append(
            Finding(
                reference="nft-unknown",
                message=message,
                severity=Severity.WARNING,
                object=f"line {number or self.at}",
                hint="What it does to packets is not known.",
            )
        )

    def _body(self) -> list[str]:
        """The lines of a block without its end; a block that the text does not close ends with it."""
        lines, listing = [], False
        while self.at < len(self.lines) and ((line := self._next()) != "}" or listing):
            lines.append(line)
            listing = (listing or line.startswith("elements = {")) and "}" not in line
        return lines

    def _table(self, family: str, name: str) -> Table:
        chains: dict[str, Chain] = {}
        sets: dict[str, Set] = {}
        while self.at < len(self.lines) and (line := self._next()) != "}":
            found = _BLOCK.match(line)
            first = self.at + 1
            if found and found[1] == "chain":
                chains[found[2]] = self._chain(self._body(), first)
            elif found:
                sets[found[2]] = self._set(self._body(), first)
            elif line and not line.startswith('comment "'):
                self._fault(line)
        return Table(family=family, name=name, chains=chains, sets=sets)

    def _chain(self, lines: list[str], first: int) -> Chain:
        hook, comment, rules = None, "", []
        for number, line in ((n, text) for n, text in enumerate(lines, first) if text):
            if head := _HOOK.match(line):
                base = _PRIORITIES[head[3]] if head[3] in _PRIORITIES else int(head[3])
                hook = Hook(head[1], head[2], base + int((head[4] or "") + (head[5] or "0")), head[6])
            elif line.startswith('comment "'):
                comment = line[9:-1]
            else:
                rules.append(self._rule(line, number))
        return Chain(tuple(rules), hook, comment)

    def _rule(self, line: str, number: int) -> Rule:
        rule = parse_rule(line)
        if any(isinstance(s, Unknown) for s in rule.statements):
            self._fault(line, number)
        return rule

    def _set(self, lines: list[str], first: int) -> Set:
        key = data = comment = ""
        typeof, size = False, 0
        flags: tuple[str, ...] = ()
        held: dict[str, str] = {}
        for number, line in enumerate(lines):
            word, _, rest = line.partition(" ")
            if word in ("type", "typeof"):
                key, _, data = rest.partition(" : ")
                typeof = word == "typeof"
            elif word == "flags":
                flags = tuple(sorted(rest.split(",")))
            elif word == "size":
                size = int(rest)
            elif word == "comment":
                comment = rest.strip('"')
            elif word == "elements":
                held = elements(" ".join(lines[number:]))
                break
            # How long the kernel keeps what packets have added is not part of what the set means.
            elif line and word not in ("timeout", "gc-interval"):
                self._fault(line, first + number)
        found = Set(key=key, data=data, typeof=typeof, flags=flags, size=size, elements=held, comment=comment)
        return found.definition() if found.dynamic else found


def elements(text: str) -> dict[str, str]:
    """The elements of ``elements = { key : data, ... }``, without comments and what only the kernel knows (expiry)."""
    inner = _COMMENT.sub("", text.partition("{")[2].rpartition("}")[0])
    found = {}
    for item in filter(None, (part.strip() for part in inner.split(","))):
        key, _, data = item.partition(" : ")
        found[re.sub(r" (timeout|expires) .*", "", key)] = data
    return found


def parse_verdict(text: str) -> Verdict:
    """``drop`` or ``goto CHAIN``, as maps hold it; raises ValueError for anything else."""
    action, _, chain = text.partition(" ")
    return Verdict(Action(action), chain)


def parse_rule(line: str) -> Rule:
    """One rule; from the first statement that is not understood on, the rest is one ``Unknown``."""
    return _Words(_TOKEN.findall(line)).rule()


class _Words:
    """The words of one rule, consumed from the left."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.at = 0

    def rule(self) -> Rule:
        statements: list[Statement] = []
        comment = ""
        while self.at < len(self.words):
            start = self.at
            if self.peek() == "comment" and len(self.words) == self.at + 2:
                comment = self.words[-1].strip('"')
                break
            try:
                statements.append(self.statement())
            except (_NotUnderstoodError, IndexError, ValueError):
                statements.append(Unknown(" ".join(self.words[start:])))
                break
        return Rule(tuple(statements), comment)

    def peek(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def take(self, *expected: str) -> str:
        """The next word, which must be one of ``expected`` when these are given."""
        word = self.words[self.at]
        if expected and word not in expected:
            raise _NotUnderstoodError
        self.at += 1
        return word

    def ahead(self, *words: str) -> bool:
        return tuple(self.words[self.at : self.at + len(words)]) == words

    def statement(self) -> Statement:
        word = self.peek()
        if word in set(Action):
            return self.verdict()
        if self.ahead("meta", "mark", "set", "meta", "mark"):
            self.at += len(("meta", "mark", "set", "meta", "mark"))
            return SetMark(self.take("|", "^", "&"), int(self.take(), 16))
        simple: dict[str, Callable[[], Statement]] = {
            "dnat": self.dnat,
            "masquerade": self.masquerade,
            "reject": self.reject,
            "counter": self.counter,
            "update": self.update,
        }
        if word in simple:
            self.at += 1
            return simple[word]()
        key = self.key()
        if self.peek() == "vmap":
            self.at += 1
            return self.verdict_map(key)
        negate = self.peek() == "!="
        if self.peek() in ("==", "!="):
            self.at += 1
        return Match(key, self.values(), negate)

    def verdict(self) -> Verdict:
        action = Action(self.take())
        return Verdict(action, self.take() if action in (Action.JUMP, Action.GOTO) else "")

    def key(self) -> tuple[str, ...]:
        """Expressions with dots between."""
        parts = [self.expression()]
        while self.peek() == ".":
            self.at += 1
            parts.append(self.expression())
        return tuple(parts)

    def expression(self) -> str:
        if self.ahead("numgen", "random", "mod") or self.ahead("meta", "mark", "&"):
            words = self.words[self.at : self.at + 4]
            self.at += 4
            return " ".join(words)
        for length in range(_LONGEST, 0, -1):
            text = " ".join(self.words[self.at : self.at + length])
            if text in EXPRESSIONS:
                self.at += length
                return text
        raise _NotUnderstoodError

    def values(self) -> tuple[str, ...]:
        """What stands right of a comparison: one value (dots between its parts) or a list in braces."""
        if self.peek() != "{":
            values = [self.value()]
            # Several states or flags without braces; a list of anything else has them.
            while self.peek() == ",":
                self.at += 1
                values.append(self.value())
            return tuple(values)
        self.at += 1
        values = [self.value()]
        while self.take("}", ",") == ",":
            values.append(self.value())
        return tuple(values)

    def value(self) -> str:
        parts = [self.constant()]
        while self.peek() == ".":
            parts += [self.take(), self.constant()]
        return " ".join(parts)

    def constant(self) -> str:
        """An address, range, number, name or quoted string; operators and keywords mean something else."""
        word = self.take()
        if word in ("set", "map", "vmap") or not _CONSTANT.fullmatch(word):
            raise _NotUnderstoodError
        return word

    def verdict_map(self, key: tuple[str, ...]) -> VerdictMap:
        if self.peek().startswith("@"):
            return VerdictMap(key, self.take()[1:])
        self.take("{")
        pairs = []
        while True:
            value = self.value()
            self.take(":")
            pairs.append((value, self.verdict()))
            if self.take("}", ",") == "}":
                return VerdictMap(key, "", tuple(pairs))

    def dnat(self) -> Dnat:
        family = self.take() if self.peek() in ("ip", "ip6") else ""
        self.take("to")
        literal = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d+)", self.peek())
        if literal:
            self.at += 1
            return Dnat(address=literal[1] or literal[2], port=int(literal[3]))
        if re.fullmatch(r"[0-9.]+|[0-9a-f]*:[0-9a-f:.]*", self.peek()):
            return Dnat(address=self.take())
        key = self.key()
        self.take("map")
        if self.peek().startswith("@"):
            return Dnat(family=family, key=key, name=self.take()[1:])
        self.take("{")
        pairs = []
        while True:
            value = self.value()
            self.take(":")
            pairs.append((value, self.value()))
            if self.take("}", ",") == "}":
                return Dnat(family=family, key=key, pairs=tuple(pairs))

    def masquerade(self) -> Masquerade:
        flags = []
        while self.peek() in ("random", "fully-random", "persistent", ","):
            flags.append(self.take())
        return Masquerade(tuple(f for f in flags if f != ","))

    def reject(self) -> Reject:
        if self.peek() != "with":
            return Reject()
        self.at += 1
        kind = self.take("tcp", "icmp", "icmpv6", "icmpx")
        return Reject(f"{kind} {self.take()}")

    def counter(self) -> Counter:
        if self.peek() == "packets":
            self.at += len(("packets", "0", "bytes", "0"))
        return Counter()

    def update(self) -> Update:
        name = self.take()
        self.take("{")
        key = self.key()
        duration = ""
        if self.peek() == "timeout":
            self.at += 1
            duration = self.take()
        self.take("}")
        if not name.startswith("@"):
            raise _NotUnderstoodError
        return Update(name[1:], key, seconds(duration))
