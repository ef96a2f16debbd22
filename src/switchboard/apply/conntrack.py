"""Ask the kernel which UDP flows it tracks, and make it forget some.

In go flows and a network namespace; out come flows.  What is stale is decided in ``compile.stale_flows``.
Called by ``run``; ``conntrack_fake`` stands in for it where there is no kernel to ask.
Specification: conntrack(8) of conntrack-tools 1.4.7.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from switchboard.apply.process import run
from switchboard.base.errors import MachineError
from switchboard.rules.conntrack import Flow, parse, render_deletions

_PROGRAM = "conntrack"


class Conntrack(Protocol):
    """What ``run`` needs of connection tracking."""

    def udp_flows(self) -> tuple[Flow, ...]:
        """Every tracked UDP flow, of both families."""

    def forget(self, flows: Sequence[Flow]) -> None:
        """Delete entries; one that has gone already is no error."""


class KernelConntrack:
    """Connection tracking of one network namespace: ``netns`` is its file descriptor, None for this process's own."""

    def __init__(self, netns: int | None = None) -> None:
        self._netns = netns

    def udp_flows(self) -> tuple[Flow, ...]:
        """Every tracked UDP flow; raises MachineError ``conntrack-refused``."""
        return parse(self._run(("-L", "-p", "udp"), ""))

    def forget(self, flows: Sequence[Flow]) -> None:
        """Delete the entries of these flows; raises MachineError ``conntrack-refused``."""
        if flows:
            self._run(("-R", "-"), render_deletions(flows))

    def _run(self, arguments: tuple[str, ...], text: str) -> str:
        done = run((_PROGRAM, *arguments), stdin=text.encode(), netns=self._netns)
        if done.code:
            reason = done.stderr.strip().split("\n")[-1]
            raise MachineError("conntrack-refused", f"Connection tracking cannot be read or changed: {reason}")
        return done.stdout
