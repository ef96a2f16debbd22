"""Tell the kernel's nftables a transaction, all or nothing, and ask what it holds.

In go transactions as text and a network namespace; out come rulesets as text.  No rule is made here.
Called by ``run``; ``nft_fake`` stands in for it where there is no kernel to ask.
Specification: nft(8) of nftables 1.0.6.
"""

from __future__ import annotations

import re
from typing import Protocol

from switchboard.apply.process import Completed, run
from switchboard.base.errors import MachineError

_PROGRAM = "nft"
_LONGEST_REASON = 300


class Nft(Protocol):
    """What ``run`` needs of nftables; ``KernelNft`` and ``nft_fake.FakeNft`` have it."""

    def apply(self, transaction: str) -> None:
        """Commit all commands or none."""

    def check(self, transaction: str) -> None:
        """Raise as ``apply`` would, and change nothing."""

    def list_table(self, family: str, name: str) -> str:
        """The table as text, empty when there is none."""


class KernelNft:
    """nftables of one network namespace: ``netns`` is its file descriptor, None for the namespace of this process."""

    def __init__(self, netns: int | None = None, *, seconds: float = 60.0) -> None:
        self._netns = netns
        self._seconds = seconds

    def apply(self, transaction: str) -> None:
        """Commit all commands or none; an empty transaction is not sent.

        Raises MachineError ``nft-refused`` with the kernel's words; then nothing has changed.
        """
        if transaction:
            self._must(self._run(("-f", "-"), transaction), transaction)

    def check(self, transaction: str) -> None:
        """Raise MachineError ``nft-refused`` when the kernel would refuse, and change nothing."""
        self._must(self._run(("-c", "-f", "-"), transaction), transaction)

    def list_table(self, family: str, name: str) -> str:
        """The table as ``nft list table`` prints it, empty when there is none."""
        done = self._run(("list", "table", family, name), "")
        if done.code and "No such file or directory" in done.stderr:
            return ""
        self._must(done, "")
        return done.stdout

    def _run(self, arguments: tuple[str, ...], text: str) -> Completed:
        return run((_PROGRAM, *arguments), stdin=text.encode(), seconds=self._seconds, netns=self._netns)

    def _must(self, done: Completed, transaction: str) -> None:
        """Translate a refusal, with the line that nft names."""
        if not done.code:
            return
        if "Operation not permitted" in done.stderr:
            raise MachineError(
                "nft-not-permitted",
                "The kernel does not let this user change nftables.",
                hint="Run as root, or in a user namespace of your own.",
            )
        reason = done.stderr.strip().split("\n")[0][:_LONGEST_REASON]
        found = re.search(r":(\d+):\d+", reason)
        lines = transaction.splitlines()
        line = lines[int(found[1]) - 1].strip() if found and 0 < int(found[1]) <= len(lines) else ""
        raise MachineError("nft-refused", f"nftables refused the rules: {reason}", context=line[:_LONGEST_REASON])
