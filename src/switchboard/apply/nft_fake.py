"""nftables without a kernel: keeps the text of tables, and refuses what refers to something that is not there.

In go transactions as text, out come tables as text, as from ``apply.nft``.
Called by tests of what uses ``apply.nft``; ``tests/live`` shows that both agree.
Specification: the commands that ``rules.nft_difference`` renders, and no others.
"""

from __future__ import annotations

import re

import msgspec

from switchboard.base.errors import MachineError
from switchboard.rules.nft import Chain, Ruleset, Set, Table, render_table, validate
from switchboard.rules.nft_parse import elements, parse, parse_rule

_BLOCK = re.compile(r"^table (\S+) (\S+) \{\n.*?^\}\n", re.MULTILINE | re.DOTALL)
_ELEMENTS = re.compile(r"(add|delete) element (\S+) (\S+) (\S+) (\{.*\})", re.DOTALL)


class FakeNft:
    """One imagined network namespace; ``transactions`` are those that were accepted."""

    def __init__(self) -> None:
        self.tables: dict[tuple[str, str], Table] = {}
        self.transactions: list[str] = []

    def apply(self, transaction: str) -> None:
        """Commit all commands or none."""
        if transaction:
            self.tables = self._after(transaction)
            self.transactions.append(transaction)

    def check(self, transaction: str) -> None:
        """Raise as ``apply`` would, and change nothing."""
        self._after(transaction)

    def list_table(self, family: str, name: str) -> str:
        """The table as text, empty when there is none."""
        found = self.tables.get((family, name))
        return render_table(found) if found else ""

    def _after(self, transaction: str) -> dict[tuple[str, str], Table]:
        """The tables after all commands; every reference must hold at the end, as for the kernel."""
        tables = dict(self.tables)
        for command in _commands(transaction):
            _command(tables, command)
        faults = validate(Ruleset(tuple(tables.values())))
        if faults:
            raise _refused(f"{faults[0].object}: {faults[0].message}")
        return tables


def _commands(text: str) -> list[str]:
    """The commands of a transaction: blocks, and lines that braces may continue."""
    commands: list[str] = []
    while text:
        block = _BLOCK.match(text)
        end = block.end() if block else text.index("\n") + 1
        while not block and text.count("{", 0, end) > text.count("}", 0, end):
            end = text.index("\n", end) + 1
        commands.append(text[:end])
        text = text[end:]
    return [c for c in commands if c.strip()]


def _command(tables: dict[tuple[str, str], Table], command: str) -> None:
    if command.startswith("table "):
        _merge(tables, command)
    elif found := _ELEMENTS.match(command):
        _element(tables, found)
    else:
        _simple(tables, command.split())


def _merge(tables: dict[tuple[str, str], Table], block: str) -> None:
    """A block adds to what is there; this fake refuses objects that exist already, which our blocks never name."""
    ruleset, findings = parse(block)
    if findings:
        raise _refused(findings[0].message)
    for new in ruleset.tables:
        old = tables.get(new.key, Table(family=new.family, name=new.name))
        if twice := (old.chains.keys() & new.chains.keys()) | (old.sets.keys() & new.sets.keys()):
            raise _refused(f"{', '.join(sorted(twice))} exists already")
        chains, sets = {**old.chains, **new.chains}, {**old.sets, **new.sets}
        tables[new.key] = msgspec.structs.replace(old, chains=chains, sets=sets)


def _element(tables: dict[tuple[str, str], Table], found: re.Match[str]) -> None:
    """Adding an element twice is refused when its data differ, and removing one that is not there always."""
    verb, key, name = found[1], (found[2], found[3]), found[4]
    table = _existing(tables, key)
    if name not in table.sets:
        raise _refused(f"no set {name}")
    changes, held = elements(found[5]), dict(table.sets[name].elements)
    for element, data in changes.items():
        if verb == "delete" and held.pop(element, None) is None:
            raise _refused(f"no element {element} in {name}")
        if verb == "add" and held.setdefault(element, data) != data:
            raise _refused(f"the element {element} of {name} exists")
    _put_set(tables, table, name, msgspec.structs.replace(table.sets[name], elements=held))


def _simple(tables: dict[tuple[str, str], Table], words: list[str]) -> None:
    verb, kind, key, rest = words[0], words[1], (words[2], words[3]), words[4:]
    if (verb, kind) == ("add", "table"):
        tables.setdefault(key, Table(family=key[0], name=key[1]))
        return
    table = _existing(tables, key)
    if (verb, kind) == ("delete", "table"):
        del tables[key]
        return
    name = rest[0]
    if name not in (table.chains if kind in ("chain", "rule") else table.sets):
        raise _refused(f"no {kind} {name}")
    match verb, kind:
        case "flush", "chain":
            _put_chain(tables, table, name, msgspec.structs.replace(table.chains[name], rules=()))
        case "add", "rule":
            chain = table.chains[name]
            rules = (*chain.rules, parse_rule(" ".join(rest[1:])))
            _put_chain(tables, table, name, msgspec.structs.replace(chain, rules=rules))
        case "delete", "chain":
            left = {n: c for n, c in table.chains.items() if n != name}
            tables[key] = msgspec.structs.replace(table, chains=left)
        case "delete", "set" | "map":
            tables[key] = msgspec.structs.replace(table, sets={n: s for n, s in table.sets.items() if n != name})
        case _:
            raise _refused(" ".join(words[:5]))


def _existing(tables: dict[tuple[str, str], Table], key: tuple[str, str]) -> Table:
    if key not in tables:
        raise _refused(f"no table {key[0]} {key[1]}")
    return tables[key]


def _put_chain(tables: dict[tuple[str, str], Table], table: Table, name: str, chain: Chain) -> None:
    tables[table.key] = msgspec.structs.replace(table, chains={**table.chains, name: chain})


def _put_set(tables: dict[tuple[str, str], Table], table: Table, name: str, set_: Set) -> None:
    tables[table.key] = msgspec.structs.replace(table, sets={**table.sets, name: set_})


def _refused(reason: str) -> MachineError:
    return MachineError("nft-refused", f"nftables refused the rules: {reason}")
