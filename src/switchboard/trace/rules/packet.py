"""A packet that meets a node's rules, and what can become of it.

Made by callers of ``trace.rules``; answered with a ``Traced``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from typing import Any

import msgspec

from switchboard.base.findings import Finding


def _nothing() -> dict[str, Any]:
    return {}


class Origin(StrEnum):
    """Where the node has the packet from: a wire, or one of its own processes."""

    WIRE = "wire"
    PROCESS = "process"


class Packet(msgspec.Struct, frozen=True, kw_only=True):
    """The first packet of a flow, or with ``established`` a later one of a flow that was not translated.

    ``protocol`` is TCP, UDP or SCTP.  Addresses are canonical.  0 is an unknown source port, and an empty interface
    one that is not known: rules that ask for it are refused.
    """

    source: str
    destination: str
    protocol: str
    port: int
    source_port: int = 0
    origin: Origin = Origin.WIRE
    interface: str = ""
    out_interface: str = ""
    established: bool = False
    mark: int = 0

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.destination else 4


class Host(msgspec.Struct, frozen=True):
    """What rules ask about the node itself.

    ``addresses`` are all local ones except loopback.  ``remembered`` holds, by the name of a set or of a recent list,
    what the kernel has put there (clients under session affinity); a name that is missing is empty.
    ``route_loopback`` is the sysctl ``route_localnet``, with which IPv4 loopback addresses are routed (K77).
    """

    addresses: tuple[str, ...] = ()
    remembered: Mapping[str, frozenset[str]] = msgspec.field(default_factory=_nothing)
    route_loopback: bool = False

    def local(self, address: str) -> bool:
        """Whether packets to this address are for the node."""
        return address in self.addresses or ipaddress.ip_address(address).is_loopback


class Verdict(StrEnum):
    """How a packet leaves the rules."""

    TRANSLATED = "translated"
    PASSED = "passed"
    REJECTED = "rejected"
    DROPPED = "dropped"


class Step(msgspec.Struct, frozen=True):
    """A rule that matched: where it stands, and its text."""

    place: str
    rule: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can happen; ``address`` and ``port`` are where the packet goes if it goes on."""

    verdict: Verdict
    address: str
    port: int
    masquerade: bool = False
    probability: Fraction = Fraction(1)
    steps: tuple[Step, ...] = ()

    @property
    def endpoint(self) -> str:
        """``10.0.0.1:80`` or ``[fd00::1]:80``."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Traced(msgspec.Struct, frozen=True):
    """All outcomes, whose probabilities add up to 1; none when the findings say why the trace was refused."""

    outcomes: tuple[Outcome, ...] = ()
    findings: tuple[Finding, ...] = ()
