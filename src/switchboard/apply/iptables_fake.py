"""iptables without a kernel: keeps chains as the kernel would after each restore, and refuses what it would refuse.

Called by tests in place of ``apply.iptables``.
Specification: iptables-restore(8) with ``--noflush``: a chain that is named with a colon is emptied.
"""

from __future__ import annotations

from switchboard.base.errors import MachineError
from switchboard.rules.iptables import TARGETS, Chain, Rule, Ruleset, parse_rule, render, words_of
from switchboard.rules.iptables_difference import BUILT_IN


class FakeIptables:
    """``texts`` are the restores that were sent, by family; ``loopback`` says whether loopback was let out."""

    def __init__(self) -> None:
        self.texts: list[tuple[int, str]] = []
        self.loopback = False
        self._tables: dict[int, dict[str, dict[str, list[Rule]]]] = {4: {}, 6: {}}

    def restore(self, family: int, text: str) -> None:
        """All lines or none; raises MachineError ``iptables-refused``."""
        if not text:
            return
        draft = {t: {n: list(r) for n, r in c.items()} for t, c in self._tables[family].items()}
        chains: dict[str, list[Rule]] = {}
        for line in text.splitlines():
            words = words_of(line)
            if words[0].startswith("*"):
                chains = draft.setdefault(words[0][1:], {})
            elif words[0] == "COMMIT":
                self._check(chains, line)
            else:
                self._command(chains, words, line)
        self.texts.append((family, text))
        self._tables[family] = draft

    def _command(self, chains: dict[str, list[Rule]], words: list[str], line: str) -> None:
        command, name = words[0], words[0][1:] if words[0].startswith(":") else words[1]
        if name in BUILT_IN:
            chains.setdefault(name, [])
        if command.startswith(":"):
            chains[name] = []
        elif name not in chains:
            raise _refused(line)
        elif command == "-A":
            chains[name].append(parse_rule(words[2:]))
        elif command == "-I":
            chains[name].insert(int(words[2]) - 1, parse_rule(words[3:]))
        elif command == "-D" and parse_rule(words[2:]) in chains[name]:
            chains[name].remove(parse_rule(words[2:]))
        elif command == "-X" and not chains[name]:
            del chains[name]
        else:
            raise _refused(line)

    def _check(self, chains: dict[str, list[Rule]], line: str) -> None:
        """No rule points at a chain that is not there."""
        targets = {rule.target for rules in chains.values() for rule in rules if rule.target}
        if targets - TARGETS.keys() - chains.keys():
            raise _refused(line)

    def save(self, family: int) -> str:
        """Every chain as text."""
        tables = {
            table: {n: Chain(tuple(r), "ACCEPT" if n in BUILT_IN else "") for n, r in chains.items()}
            for table, chains in self._tables[family].items()
        }
        return render(Ruleset(family, tables))

    def route_loopback(self) -> None:
        """Remembers that it was asked."""
        self.loopback = True


def _refused(line: str) -> MachineError:
    return MachineError("iptables-refused", "iptables refused the rules: line failed", context=line)
