"""Typed iptables rules of one family: tables, chains, rules, with validate, render and parse.

In go rules as data or what ``iptables-save`` prints; out come findings, or text for ``iptables-restore``.
A rule that is not understood is kept as ``Unknown`` with a finding, because whoever reads somebody else's rules must
refuse to guess.  Called by ``compile.modes.iptables``, ``rules.iptables_difference``, ``apply.iptables`` and ``trace``.
Specification: iptables(8), iptables-extensions(8) and iptables-save(8) of iptables 1.8.9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from switchboard.base.findings import Finding, Severity

#: Options of each match (the empty name: those of every rule) with the number of words that follow.
MATCHES: Mapping[str, Mapping[str, int]] = {
    "": {"-s": 1, "-d": 1, "-i": 1, "-o": 1, "-p": 1},
    "comment": {"--comment": 1},
    "conntrack": {"--ctstate": 1},
    "tcp": {"--dport": 1, "--sport": 1},
    "udp": {"--dport": 1, "--sport": 1},
    "sctp": {"--dport": 1, "--sport": 1},
    "statistic": {"--mode": 1, "--probability": 1},
    "recent": {"--rcheck": 0, "--set": 0, "--seconds": 1, "--reap": 0, "--name": 1, "--mask": 1, "--rsource": 0},
    "addrtype": {"--src-type": 1, "--dst-type": 1},
    "mark": {"--mark": 1},
    "set": {"--match-set": 2},
}
#: Targets that are no chains, with their options.
TARGETS: Mapping[str, Mapping[str, int]] = {
    "ACCEPT": {},
    "DROP": {},
    "RETURN": {},
    "REJECT": {"--reject-with": 1},
    "DNAT": {"--to-destination": 1},
    "MASQUERADE": {"--random-fully": 0},
    "MARK": {"--set-xmark": 1, "--or-mark": 1, "--xor-mark": 1},
}
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,28}")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')
_PLAIN = re.compile(r"[0-9A-Za-z_-]+")


def _empty() -> dict[str, Any]:
    return {}


class Option(msgspec.Struct, frozen=True):
    """One option of a match or target, with the words after it."""

    name: str
    values: tuple[str, ...] = ()
    negate: bool = False

    def render(self) -> str:
        """``! -s 10.0.0.0/8``."""
        values = map(_quoted, self.values) if self.name == "--comment" else self.values
        return " ".join((*(("!",) if self.negate else ()), self.name, *values))


class Match(msgspec.Struct, frozen=True):
    """What a packet must be: the options of one match module, all of which must hold."""

    module: str
    options: tuple[Option, ...]

    def render(self) -> str:
        """``-m tcp --dport 80``."""
        module = (f"-m {self.module}",) if self.module else ()
        return " ".join((*module, *(o.render() for o in self.options)))


class Unknown(msgspec.Struct, frozen=True):
    """Words that this project does not understand, kept as read; a tracer must refuse them."""

    text: str

    def render(self) -> str:
        """The words as read."""
        return self.text


class Rule(msgspec.Struct, frozen=True):
    """Matches from left to right, then a target, which is a chain or one of ``TARGETS`` (empty: only matches)."""

    matches: tuple[Match | Unknown, ...] = ()
    target: str = ""
    options: tuple[Option, ...] = ()
    goto: bool = False

    def render(self) -> str:
        """The rule without ``-A CHAIN``."""
        target = (f"{'-g' if self.goto else '-j'} {self.target}",) if self.target else ()
        return " ".join((*(m.render() for m in self.matches), *target, *(o.render() for o in self.options)))

    @property
    def comment(self) -> str:
        """The first comment, empty without one."""
        found = (m.options[0].values[0] for m in self.matches if isinstance(m, Match) and m.module == "comment")
        return next(found, "")


class Chain(msgspec.Struct, frozen=True):
    """A chain; built-in ones have a ``policy``, ``ACCEPT`` or ``DROP``."""

    rules: tuple[Rule, ...] = ()
    policy: str = ""


class Ruleset(msgspec.Struct, frozen=True):
    """Chains by name in tables by name, of one family (4 or 6)."""

    family: int
    tables: Mapping[str, Mapping[str, Chain]] = msgspec.field(default_factory=_empty)

    def chain(self, table: str, name: str) -> Chain | None:
        """The chain, None when there is none such."""
        return self.tables.get(table, {}).get(name)


def _quoted(word: str) -> str:
    """A text as iptables-save writes it."""
    return word if _PLAIN.fullmatch(word) else '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word


def render(ruleset: Ruleset) -> str:
    """The ruleset as ``iptables-save`` would print it, chains in order of their names within what is built in."""
    return "".join(
        "\n".join([f"*{table}", *_chain_lines(chains), "COMMIT", ""])
        for table, chains in sorted(ruleset.tables.items())
    )


def _chain_lines(chains: Mapping[str, Chain]) -> Iterator[str]:
    for name, chain in sorted(chains.items()):
        yield f":{name} {chain.policy or '-'} [0:0]"
    for name, chain in sorted(chains.items()):
        yield from render_chain(name, chain)


def render_chain(name: str, chain: Chain) -> list[str]:
    """The ``-A`` lines of a chain."""
    return [f"-A {name} {rule.render()}".rstrip() for rule in chain.rules]


def validate(ruleset: Ruleset) -> tuple[Finding, ...]:
    """What the kernel would refuse, or this project does not understand; empty when all is well."""
    return tuple(
        finding
        for table, chains in ruleset.tables.items()
        for name, chain in chains.items()
        for finding in _faults(f"table {table} chain {name}", name, chain, chains)
    )


def _faults(where: str, name: str, chain: Chain, chains: Mapping[str, Chain]) -> Iterator[Finding]:
    if not _NAME.fullmatch(name):
        yield _finding("iptables-name", f"{name!r} is not a name that iptables accepts.", where)
    for rule in chain.rules:
        target = TARGETS.get(rule.target)
        if target is None and rule.target and rule.target not in chains:
            yield _finding("iptables-reference", f"The chain {rule.target} does not exist.", where)
        for match in rule.matches:
            known = MATCHES.get(match.module) if isinstance(match, Match) else None
            if known is None or not isinstance(match, Match):
                yield _finding("iptables-unknown", f"The words {match.render()!r} are not understood.", where)
            else:
                yield from _option_faults(match.options, known, where)
        yield from _option_faults(rule.options, target or {}, where)


def _option_faults(options: tuple[Option, ...], known: Mapping[str, int], where: str) -> Iterator[Finding]:
    for option in options:
        if known.get(option.name) != len(option.values):
            yield _finding("iptables-unknown", f"The option {option.render()!r} is not understood.", where)
        if any("\n" in value or len(value) > 255 for value in option.values):
            yield _finding("iptables-name", f"The option {option.name} has a value that is too long.", where)


def _finding(reference: str, message: str, where: str) -> Finding:
    return Finding(reference=reference, message=message, object=where)


def parse(text: str, family: int) -> tuple[Ruleset, tuple[Finding, ...]]:
    """The ruleset that ``iptables-save`` printed, and a finding for each line that is not understood."""
    tables: dict[str, dict[str, Chain]] = {}
    rules: dict[tuple[str, str], list[Rule]] = {}
    findings = []
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        words = words_of(line)
        if not words or words[0].startswith("#") or words[0] == "COMMIT":
            continue
        if words[0].startswith("["):
            words = words[1:]
        if words[0].startswith("*"):
            table = words[0][1:]
            tables.setdefault(table, {})
        elif words[0].startswith(":") and len(words) > 1:
            policy = "" if words[1] == "-" else words[1]
            tables.setdefault(table, {})[words[0][1:]] = Chain(policy=policy)
        elif len(words) > 1 and words[0] == "-A":
            rule = parse_rule(words[2:])
            rules.setdefault((table, words[1]), []).append(rule)
            if any(isinstance(m, Unknown) for m in rule.matches):
                findings.append(_not_understood(line, number))
        else:
            findings.append(_not_understood(line, number))
    for (table, name), found in rules.items():
        before = tables.setdefault(table, {}).get(name, Chain())
        tables[table][name] = msgspec.structs.replace(before, rules=tuple(found))
    return Ruleset(family, tables), tuple(findings)


def _not_understood(line: str, number: int) -> Finding:
    return Finding(
        reference="iptables-unknown",
        message=f"The line {line[:160]!r} of an iptables ruleset is not understood.",
        severity=Severity.WARNING,
        object=f"line {number}",
        hint="What it does to packets is not known.",
    )


def words_of(line: str) -> list[str]:
    """The words of a line; one in quotes keeps them."""
    return _TOKEN.findall(line)


def parse_rule(words: list[str]) -> Rule:
    """The words after ``-A CHAIN``; from the first one that is not understood on, the rest is one ``Unknown``."""
    matches: list[Match | Unknown] = []
    at = 0
    while at < len(words):
        if words[at] in ("-j", "-g") and at + 1 < len(words):
            target = words[at + 1]
            options, end = _options(words, at + 2, TARGETS.get(target, {}))
            if end == len(words):
                return Rule(tuple(matches), target, options, goto=words[at] == "-g")
            break
        named = words[at] == "-m" and at + 1 < len(words)
        module = words[at + 1] if named else ""
        options, end = _options(words, at + 2 if named else at, MATCHES.get(module, {}))
        if module not in MATCHES or end == at:
            break
        matches.append(Match(module, options))
        at = end
    return Rule((*matches, *((Unknown(" ".join(words[at:])),) if at < len(words) else ())))


def _options(words: list[str], at: int, known: Mapping[str, int]) -> tuple[tuple[Option, ...], int]:
    """The known options from a place on, and the place of the first word that is none."""
    found = []
    while at < len(words):
        name = at + (words[at] == "!")
        size = known.get(words[name]) if name < len(words) else None
        end = name + 1 + (size or 0)
        if size is None or end > len(words):
            break
        found.append(Option(words[name], tuple(map(_plain, words[name + 1 : end])), name > at))
        at = end
    return tuple(found), at
