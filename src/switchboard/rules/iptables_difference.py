"""What must be told to the kernel so that one set of iptables chains becomes another.

In go the applied and the desired ``Ruleset`` of one family; out comes input for ``iptables-restore --noflush``.
Only chains that changed are written; rules of built-in chains that are not ours stay where they are.
Called by ``run`` between the iptables mode and ``apply.iptables``.
Specification: iptables-restore(8); I7 and I9 of the behaviour list (kube-proxy 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping

from switchboard.rules.iptables import Chain, Ruleset, render_chain

BUILT_IN = frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})


def difference(applied: Ruleset, desired: Ruleset, *, prefix: str = "KUBE-") -> str:
    """From ``applied`` to ``desired``, empty when there is nothing to do; chains with ``prefix`` are ours."""
    texts = []
    for table in sorted(applied.tables.keys() | desired.tables.keys()):
        lines = _changed(applied.tables.get(table, {}), desired.tables.get(table, {}), prefix)
        if lines:
            texts.append("\n".join([f"*{table}", *lines, "COMMIT", ""]))
    return "".join(texts)


def _changed(before: Mapping[str, Chain], after: Mapping[str, Chain], prefix: str) -> list[str]:
    gone = sorted(n for n in before if n.startswith(prefix) and n not in after)
    own = sorted(n for n in after if n not in BUILT_IN)
    written = [n for n in own if n not in before or before[n].rules != after[n].rules]
    # Naming a chain empties it, so that it can be written anew, or deleted after the last jump to it has gone.
    lines = [f":{name} - [0:0]" for name in (*written, *gone)]
    for name in written:
        lines += render_chain(name, after[name])
    for name in sorted(BUILT_IN):
        lines += _jumps(name, before.get(name, Chain()), after.get(name, Chain()), prefix)
    return lines + [f"-X {name}" for name in gone]


def _jumps(name: str, before: Chain, after: Chain, prefix: str) -> list[str]:
    """Our rules in a built-in chain stand before everybody else's."""
    ours = [r for r in before.rules if r.target.startswith(prefix)]
    if tuple(ours) == after.rules:
        return []
    added = [f"-I {name} {number} {rule.render()}" for number, rule in enumerate(after.rules, 1)]
    return [f"-D {name} {rule.render()}" for rule in ours] + added
