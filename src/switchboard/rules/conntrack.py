"""Entries of the connection tracking table, typed: read a listing, write deletions.

In goes the text of ``conntrack -L``; out come ``Flow`` values, and for them the lines that ``conntrack -R`` obeys.
Called by ``apply.conntrack`` and ``compile.stale_flows``.
Specification: conntrack(8) of conntrack-tools 1.4.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

_TUPLE = re.compile(r"src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)")


class Flow(msgspec.Struct, frozen=True):
    """One tracked flow: the tuple as the client sent it, and where answers come from.

    ``reply_source`` and ``reply_port`` equal destination and port when the flow was not translated.
    """

    protocol: str
    source: str
    destination: str
    source_port: int
    port: int
    reply_source: str
    reply_port: int


def parse(text: str) -> tuple[Flow, ...]:
    """The flows of a listing; protocols without ports and cut lines are left out (K123)."""
    flows = []
    for line in text.splitlines():
        tuples = _TUPLE.findall(line)
        if len(tuples) == 2:
            (source, destination, source_port, port), reply = tuples
            protocol = line.split(maxsplit=1)[0]
            flows.append(Flow(protocol, source, destination, int(source_port), int(port), reply[0], int(reply[2])))
    return tuple(flows)


def render_deletions(flows: Iterable[Flow]) -> str:
    """One line per flow; a flow that has gone meanwhile is no error to conntrack."""
    return "".join(
        f"-D -p {f.protocol}{' -f ipv6' if ':' in f.source else ''} -s {f.source} -d {f.destination} "
        f"--sport {f.source_port} --dport {f.port}\n"
        for f in flows
    )
