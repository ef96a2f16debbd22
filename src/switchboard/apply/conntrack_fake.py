"""Connection tracking without a kernel: remembers flows until it is told to forget them.

In and out go flows, as in ``apply.conntrack``.  Called by tests of what uses that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from switchboard.rules.conntrack import Flow


class FakeConntrack:
    """One imagined table."""

    def __init__(self, flows: Iterable[Flow] = ()) -> None:
        self.flows = tuple(flows)

    def udp_flows(self) -> tuple[Flow, ...]:
        """The UDP flows that are left."""
        return tuple(f for f in self.flows if f.protocol == "udp")

    def forget(self, flows: Sequence[Flow]) -> None:
        """Delete entries; one that has gone already is no error."""
        self.flows = tuple(f for f in self.flows if f not in flows)
