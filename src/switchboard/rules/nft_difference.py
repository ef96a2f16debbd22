"""What must be told to the kernel so that one ruleset becomes another: a transaction of few commands.

In go the applied and the desired ``Ruleset``; out comes a ``Transaction``, all or nothing for ``nft -f -``.
Called by ``run`` between a proxy mode and ``apply.nft``.
Specification: nft(8); K103 to K109 of the behaviour list (kube-proxy 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from switchboard.rules.nft import Chain, Ruleset, Set, Table, render_chain, render_elements, render_set, render_table


class Transaction(msgspec.Struct, frozen=True):
    """Commands that the kernel accepts all together or not at all; ``commands`` are texts for ``nft -f -``."""

    commands: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.commands)

    def render(self) -> str:
        """The text for ``nft -f -``."""
        return "".join(command if command.endswith("\n") else command + "\n" for command in self.commands)


def difference(applied: Ruleset, desired: Ruleset) -> Transaction:
    """From ``applied`` to ``desired``; empty when they are equal.

    A table that is new, or whose hooks or set definitions are others, is replaced as a whole.
    Of the rest only changed elements are named, and chains whose body changed are flushed and written again.
    """
    before = {t.key: t for t in applied.tables}
    after = {t.key: t for t in desired.tables}
    commands: list[str] = []
    for key in sorted(before.keys() - after.keys()):
        commands.append(f"delete table {key[0]} {key[1]}")
    for key in sorted(after):
        old = before.get(key)
        commands += _changed(old, after[key]) if old and _compatible(old, after[key]) else _replaced(after[key])
    return Transaction(tuple(commands))


def replacement(desired: Ruleset) -> Transaction:
    """Every table of ``desired`` anew, whatever the kernel holds: for a first sync and for repair."""
    return Transaction(tuple(command for table in desired.tables for command in _replaced(table)))


def removal(tables: Iterable[tuple[str, str]]) -> Transaction:
    """Take away tables (family, name), also those that do not exist."""
    return Transaction(tuple(c for f, n in tables for c in (f"add table {f} {n}", f"delete table {f} {n}")))


def _replaced(table: Table) -> list[str]:
    # The first command makes the second one valid when there is no such table yet; nobody sees the gap between them.
    name = f"table {table.family} {table.name}"
    return [f"add {name}", f"delete {name}", render_table(table)]


def _compatible(old: Table, new: Table) -> bool:
    """Whether the old table can be changed in place: same base chains, and sets of the same name are the same kind."""
    hooks, wanted = ({n: c.hook for n, c in t.chains.items() if c.hook} for t in (old, new))
    common = old.sets.keys() & new.sets.keys()
    return hooks == wanted and all(old.sets[n].definition() == new.sets[n].definition() for n in common)


def _changed(old: Table, new: Table) -> list[str]:
    """The order is that of references: things are added before they are named and removed after the last name went."""
    where = f"{new.family} {new.name}"
    gone_chains = sorted(old.chains.keys() - new.chains.keys())
    gone_sets = sorted(old.sets.keys() - new.sets.keys())
    new_chains = {n: new.chains[n] for n in sorted(new.chains.keys() - old.chains.keys())}
    rewritten = {n: c for n, c in sorted(new.chains.items()) if n in old.chains and old.chains[n].rules != c.rules}
    commands = _additions(new, {n: s for n, s in sorted(new.sets.items()) if n not in old.sets}, new_chains)
    commands += [f"flush chain {where} {name}" for name in (*gone_chains, *rewritten)]
    commands += _element_changes(where, old, new)
    commands += [f"add rule {where} {name} {rule.render()}" for name, c in rewritten.items() for rule in c.rules]
    commands += [f"delete chain {where} {name}" for name in gone_chains]
    return commands + [f"delete {'map' if old.sets[n].data else 'set'} {where} {n}" for n in gone_sets]


def _additions(table: Table, sets: Mapping[str, Set], chains: Mapping[str, Chain]) -> list[str]:
    """New sets and chains in one block, in which the order of references does not matter."""
    if not sets and not chains:
        return []
    lines = [line for name, set_ in sets.items() for line in render_set(name, set_)]
    lines += [line for name, chain in chains.items() for line in render_chain(name, chain)]
    return ["\n".join([f"table {table.family} {table.name} {{", *lines, "}", ""])]


def _element_changes(where: str, old: Table, new: Table) -> list[str]:
    """Deletions of all sets, then additions; a changed value is both (K107)."""
    deleted, added = [], []
    for name in sorted(old.sets):
        before = old.sets[name].elements
        after = new.sets[name].elements if name in new.sets else {}
        if before == after or old.sets[name].dynamic:
            continue
        gone = {k: "" for k, v in before.items() if after.get(k) != v}
        come = {k: v for k, v in after.items() if before.get(k) != v}
        if gone:
            deleted.append(f"delete element {where} {name} {{ {render_elements(gone)} }}")
        if come:
            added.append(f"add element {where} {name} {{ {render_elements(come)} }}")
    return deleted + added
