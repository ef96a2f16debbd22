"""A typed nftables ruleset: tables, chains, sets and maps, with validate and render (parse is in ``rules.nft_parse``).

In go rules as ``rules.nft_statement`` types and elements as text; out come findings and text for ``nft -f -``
in the form in which ``nft list ruleset`` prints it.
Called by ``compile.modes``, ``rules.nft_difference`` and ``trace``.
Specification: nft(8) of nftables 1.0.6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from switchboard.base.findings import Finding
from switchboard.rules.nft_statement import Statement, Unknown, chains_of, expressions_of, known, sets_of

NAME = re.compile(r"[A-Za-z][A-Za-z0-9/_.-]{0,254}")
FAMILIES = frozenset({"ip", "ip6", "inet"})


def _empty() -> dict[str, Any]:
    return {}


class Rule(msgspec.Struct, frozen=True):
    """Statements from left to right; the first match that fails ends the rule."""

    statements: tuple[Statement, ...]
    comment: str = ""

    def render(self) -> str:
        """The rule as one line."""
        comment = (f'comment "{self.comment}"',) if self.comment else ()
        return " ".join((*(s.render() for s in self.statements), *comment))


class Hook(msgspec.Struct, frozen=True):
    """Where a base chain hangs: type ``filter`` or ``nat``, hook, priority (smaller is earlier), policy."""

    type: str
    hook: str
    priority: int
    policy: str = "accept"

    def render(self) -> str:
        """``type nat hook output priority -100; policy accept;``."""
        return f"type {self.type} hook {self.hook} priority {self.priority}; policy {self.policy};"


class Chain(msgspec.Struct, frozen=True):
    """A chain; ``hook`` is None for a regular one, which packets reach by a verdict only."""

    rules: tuple[Rule, ...] = ()
    hook: Hook | None = None
    comment: str = ""


class Set(msgspec.Struct, frozen=True, kw_only=True):
    """A named set, or a map when ``data`` is not empty.

    ``key`` and ``data`` are types (``ipv4_addr . inet_service``) or, with ``typeof``, expressions.
    ``elements`` maps each key as text to its data as text (empty for sets).
    Elements of a ``dynamic`` set are state of the kernel and left out.
    """

    key: str
    data: str = ""
    typeof: bool = False
    flags: tuple[str, ...] = ()
    size: int = 0
    elements: Mapping[str, str] = msgspec.field(default_factory=_empty)
    comment: str = ""

    @property
    def dynamic(self) -> bool:
        """Whether packets add the elements."""
        return "dynamic" in self.flags

    def definition(self) -> Set:
        """The same set without elements, to compare what it is."""
        return msgspec.structs.replace(self, elements={})


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table with its chains and sets (maps among them), each by name."""

    family: str
    name: str
    chains: Mapping[str, Chain] = msgspec.field(default_factory=_empty)
    sets: Mapping[str, Set] = msgspec.field(default_factory=_empty)

    @property
    def key(self) -> tuple[str, str]:
        """Family and name, unique in a ruleset."""
        return self.family, self.name


class Ruleset(msgspec.Struct, frozen=True):
    """All tables of one network namespace, or those of one program."""

    tables: tuple[Table, ...] = ()

    def table(self, family: str, name: str) -> Table | None:
        """The table, None when the ruleset has none such."""
        return next((t for t in self.tables if t.key == (family, name)), None)


def render(ruleset: Ruleset) -> str:
    """The ruleset as ``nft list ruleset`` would print it; loading it into a kernel without these tables makes them."""
    return "".join(render_table(table) for table in ruleset.tables)


def render_table(table: Table) -> str:
    """One table as a block; objects and elements sorted by name, so that equal tables render equally."""
    lines = [f"table {table.family} {table.name} {{"]
    for name in sorted(table.sets):
        lines += render_set(name, table.sets[name])
    for name in sorted(table.chains):
        lines += render_chain(name, table.chains[name])
    return "\n".join([*lines, "}", ""])


def render_chain(name: str, chain: Chain) -> list[str]:
    """The lines of one chain block."""
    head = [f"\t\tcomment {_quoted(chain.comment)}"] if chain.comment else []
    if chain.hook:
        head.append(f"\t\t{chain.hook.render()}")
    return [f"\tchain {name} {{", *head, *(f"\t\t{rule.render()}" for rule in chain.rules), "\t}"]


def render_set(name: str, set_: Set) -> list[str]:
    """The lines of one set or map block."""
    lines = [f"\t{'map' if set_.data else 'set'} {name} {{"]
    lines.append(f"\t\t{'typeof' if set_.typeof else 'type'} {set_.key}" + (f" : {set_.data}" if set_.data else ""))
    if set_.size:
        lines.append(f"\t\tsize {set_.size}")
    if set_.flags:
        lines.append(f"\t\tflags {','.join(set_.flags)}")
    if set_.comment:
        lines.append(f"\t\tcomment {_quoted(set_.comment)}")
    if set_.elements:
        lines.append(f"\t\telements = {{ {render_elements(set_.elements)} }}")
    return [*lines, "\t}"]


def render_elements(elements: Mapping[str, str]) -> str:
    """``key : data`` (or ``key``) of each element, sorted by key, with commas between."""
    return ",\n\t\t\t".join(f"{key} : {elements[key]}" if elements[key] else key for key in sorted(elements))


def _quoted(comment: str) -> str:
    return f'"{comment}"'


def validate(ruleset: Ruleset) -> tuple[Finding, ...]:
    """What the kernel or nft would refuse, or this project does not understand; empty when all is well."""
    return tuple(finding for table in ruleset.tables for finding in _faults(table))


def _faults(table: Table) -> Iterator[Finding]:
    """The faults of one table: names, references, unknown expressions, elements of another shape than their set."""
    where = f"table {table.family} {table.name}"
    if table.family not in FAMILIES:
        yield _finding("nft-family", f"The family {table.family} is not known.", where)
    for name in (table.name, *table.chains, *table.sets):
        if not NAME.fullmatch(name):
            yield _finding("nft-name", f"{name!r} is not a name that nft accepts.", where)
    for name, chain in table.chains.items():
        for rule in chain.rules:
            yield from _rule_faults(table, rule, f"{where} chain {name}")
        if '"' in chain.comment:
            yield _finding("nft-comment", "A comment has a double quote in it.", f"{where} chain {name}")
    for name, set_ in table.sets.items():
        yield from _element_faults(table, set_, f"{where} set {name}")


def _rule_faults(table: Table, rule: Rule, where: str) -> Iterator[Finding]:
    for statement in rule.statements:
        if isinstance(statement, Unknown):
            yield _finding("nft-unknown", f"The statement {statement.text!r} is not understood.", where)
        for chain in chains_of(statement):
            if chain not in table.chains:
                yield _finding("nft-reference", f"The chain {chain} does not exist.", where)
        for name in sets_of(statement):
            if name not in table.sets:
                yield _finding("nft-reference", f"The set {name} does not exist.", where)
        for expression in expressions_of(statement):
            if not known(expression):
                yield _finding("nft-unknown", f"The expression {expression!r} is not understood.", where)
    if '"' in rule.comment:
        yield _finding("nft-comment", "A comment has a double quote in it.", where)


def _element_faults(table: Table, set_: Set, where: str) -> Iterator[Finding]:
    width = set_.key.count(" . ")
    for key, data in set_.elements.items():
        if key.count(" . ") != width or bool(data) != bool(set_.data):
            yield _finding("nft-element", f"The element {key!r} does not have the type {set_.key}.", where)
        if set_.data == "verdict" and data.partition(" ")[2] and data.partition(" ")[2] not in table.chains:
            yield _finding("nft-reference", f"The chain of the element {key} : {data} does not exist.", where)


def _finding(reference: str, message: str, where: str) -> Finding:
    return Finding(reference=reference, message=message, object=where)
