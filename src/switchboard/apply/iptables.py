"""Tell the kernel's iptables a restore, all or nothing for each table, and ask what it holds.

In go restores as text and a network namespace; out come rulesets as text.  No rule is made here.
Called by ``run``; ``iptables_fake`` stands in for it where there is no kernel to ask.
Specification: iptables-restore(8), iptables-save(8) of iptables 1.8.9; I7 of the behaviour list.
"""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import Protocol

from switchboard.apply.netns import entered, sysctl
from switchboard.apply.process import Completed, run
from switchboard.base.errors import MachineError

_PROGRAMS = {4: "iptables", 6: "ip6tables"}
_LONGEST_REASON = 300


class Iptables(Protocol):
    """What ``run`` needs of iptables; ``KernelIptables`` and ``iptables_fake.FakeIptables`` have it."""

    def restore(self, family: int, text: str) -> None:
        """Change the chains that the text names, and no others."""

    def save(self, family: int) -> str:
        """Everything of one family as text."""

    def route_loopback(self) -> None:
        """Let packets that were translated leave with a loopback source (K77)."""


class KernelIptables:
    """iptables of one network namespace: ``netns`` is its file descriptor, None for the namespace of this process."""

    def __init__(self, netns: int | None = None, *, seconds: float = 300.0) -> None:
        self._netns = netns
        self._seconds = seconds

    def restore(self, family: int, text: str) -> None:
        """Change the chains that the text names; an empty text is not sent.

        Raises MachineError ``iptables-refused``, with the line where it is one that cannot be read.
        Tables before the one at fault may have changed.
        """
        if text:
            self._must(self._run(f"{_PROGRAMS[family]}-restore", ("--noflush", "-w"), text), text)

    def save(self, family: int) -> str:
        """What ``iptables-save`` prints."""
        done = self._run(f"{_PROGRAMS[family]}-save", (), "")
        self._must(done, "")
        return done.stdout

    def route_loopback(self) -> None:
        """Sets ``route_localnet`` for every interface of the namespace."""
        with nullcontext() if self._netns is None else entered(self._netns):
            sysctl("ipv4/conf/all/route_localnet", "1")

    def _run(self, program: str, arguments: tuple[str, ...], text: str) -> Completed:
        return run((program, *arguments), stdin=text.encode(), seconds=self._seconds, netns=self._netns)

    def _must(self, done: Completed, text: str) -> None:
        if not done.code:
            return
        if "Permission denied" in done.stderr or "must be root" in done.stderr:
            raise MachineError(
                "iptables-not-permitted",
                "The kernel does not let this user change iptables.",
                hint="Run as root, or in a user namespace of your own.",
            )
        reason = done.stderr.strip().split("\n")[0][:_LONGEST_REASON]
        found = re.search(r"line:? (\d+)", done.stderr)
        lines = text.splitlines()
        line = lines[int(found[1]) - 1].strip() if found and 0 < int(found[1]) <= len(lines) else ""
        raise MachineError("iptables-refused", f"iptables refused the rules: {reason}", context=line[:_LONGEST_REASON])
