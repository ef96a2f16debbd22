"""Typed IPVS rules: virtual servers, address sets and the addresses of a dummy interface, with validate, render, parse.

In go rules as data, or what ``ipvsadm -S -n`` and ``ipset save`` print; out come findings, or input for ``ipvsadm -R``
and ``ipset restore``.  Called by ``compile.modes.ipvs``.
Specification: ipvsadm(8) of ipvsadm 1.31, ipset(8) of ipset 7.17.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from switchboard.base.findings import Finding, Severity
from switchboard.rules import iptables

SCHEDULERS = frozenset({"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "mh", "dh", "sed", "nq", "fo", "ovf", "twos"})
LONGEST_SET_NAME = 31
_FLAGS = {"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service"}
_PROTOCOLS = {flag: protocol for protocol, flag in _FLAGS.items()}
_PLACE = re.compile(r"(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d+)")


class RealServer(msgspec.Struct, frozen=True, order=True):
    """One endpoint behind a virtual server; weight 0 drains it (V5)."""

    address: str
    port: int
    weight: int = 1


class VirtualServer(msgspec.Struct, frozen=True, kw_only=True):
    """One address and port that the kernel balances; ``persistence`` in seconds, 0 for none.

    ``flags`` are the scheduler's.  ``comment`` says what it is for and is no part of the rule.
    """

    address: str
    port: int
    protocol: str
    scheduler: str = "rr"
    flags: tuple[str, ...] = ()
    persistence: int = 0
    servers: tuple[RealServer, ...] = ()
    comment: str = ""

    @property
    def key(self) -> tuple[str, int, str]:
        """Unique in a namespace."""
        return self.address, self.port, self.protocol


class AddressSet(msgspec.Struct, frozen=True):
    """An ipset: ``type`` as ipset writes it (``hash:ip,port``), ``family`` 4 or 6, entries sorted."""

    name: str
    type: str
    family: int = 4
    entries: tuple[str, ...] = ()

    def create(self) -> str:
        """The line that makes the set."""
        what = "range 0-65535" if self.type == "bitmap:port" else f"family inet{'6' if self.family == 6 else ''}"
        return f"create {self.name} {self.type} {what}"


class Ruleset(msgspec.Struct, frozen=True):
    """Everything of one node: servers and dummy addresses of both families, sets, and iptables by family."""

    servers: tuple[VirtualServer, ...] = ()
    sets: tuple[AddressSet, ...] = ()
    addresses: tuple[str, ...] = ()
    chains: tuple[iptables.Ruleset, ...] = ()


def place(address: str, port: int) -> str:
    """``10.0.0.1:80`` or ``[fd00::1]:80``."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def render_servers(servers: tuple[VirtualServer, ...], *, comments: bool = False) -> str:
    """Input for ``ipvsadm -R``, as ``ipvsadm -S -n`` prints it; with comments it is for people."""
    lines = []
    for server in servers:
        if comments and server.comment:
            lines.append(f"# {server.comment}")
        service = f"{_FLAGS[server.protocol]} {place(server.address, server.port)}"
        lines.append(
            f"-A {service} -s {server.scheduler}"
            + (f" -p {server.persistence}" if server.persistence else "")
            + (f" -b {','.join(server.flags)}" if server.flags else "")
        )
        lines += [f"-a {service} -r {place(r.address, r.port)} -m -w {r.weight}" for r in server.servers]
    return "".join(f"{line}\n" for line in lines)


def parse_servers(text: str) -> tuple[tuple[VirtualServer, ...], tuple[Finding, ...]]:
    """The virtual servers of ``ipvsadm -S -n``, and a finding for each line that is not understood."""
    found: dict[tuple[str, int, str], VirtualServer] = {}
    findings = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            _take(words, found)
        except (ValueError, KeyError, IndexError):
            findings.append(_not_understood(line, number))
    return tuple(found.values()), tuple(findings)


def _take(words: list[str], found: dict[tuple[str, int, str], VirtualServer]) -> None:
    """One line; raises ValueError, KeyError or IndexError when it is not understood."""
    command, flag, written = words[:3]
    key = (*_place(written), _PROTOCOLS[flag])
    options = dict(zip(words[3::2], words[4::2], strict=command == "-A"))
    if command == "-A" and options.keys() <= {"-s", "-p", "-b"}:
        found[key] = VirtualServer(
            address=key[0],
            port=key[1],
            protocol=key[2],
            scheduler=options["-s"],
            persistence=int(options.get("-p", "0")),
            flags=tuple(filter(None, options.get("-b", "").split(","))),
        )
    elif command == "-a" and words[3] == "-r" and words[5:7] == ["-m", "-w"] and len(words) == 8:
        server = RealServer(*_place(words[4]), int(words[7]))
        found[key] = msgspec.structs.replace(found[key], servers=(*found[key].servers, server))
    else:
        raise ValueError


def _place(written: str) -> tuple[str, int]:
    match = _PLACE.fullmatch(written)
    if match is None:
        raise ValueError
    return match[1] or match[2], int(match[3])


def render_sets(sets: tuple[AddressSet, ...]) -> str:
    """Input for ``ipset -exist restore``; each set is emptied before it is filled."""
    return "".join(
        "".join(f"{line}\n" for line in (s.create(), f"flush {s.name}", *(f"add {s.name} {e}" for e in s.entries)))
        for s in sets
    )


def parse_sets(text: str) -> tuple[tuple[AddressSet, ...], tuple[Finding, ...]]:
    """The sets of ``ipset save`` or of a rendering, and a finding for each line that is not understood."""
    found: dict[str, AddressSet] = {}
    findings = []
    for number, line in enumerate(text.splitlines(), 1):
        match line.split():
            case [] | ["#", *_]:
                continue
            case ["create", name, kind, *rest]:
                found[name] = AddressSet(name, kind, 6 if "inet6" in rest else 4)
            case ["flush", name] if name in found:
                continue
            case ["add", name, entry] if name in found:
                found[name] = msgspec.structs.replace(found[name], entries=(*found[name].entries, entry))
            case _:
                findings.append(_not_understood(line, number))
    return tuple(found.values()), tuple(findings)


def _not_understood(line: str, number: int) -> Finding:
    return Finding(
        reference="ipvs-unknown",
        message=f"The line {line[:160]!r} of IPVS rules is not understood.",
        severity=Severity.WARNING,
        object=f"line {number}",
    )


def validate(ruleset: Ruleset) -> tuple[Finding, ...]:
    """What the kernel would refuse; empty when all is well."""
    return tuple(_faults(ruleset))


def _faults(ruleset: Ruleset) -> Iterator[Finding]:
    seen = set()
    for server in ruleset.servers:
        where = f"virtual server {place(server.address, server.port)} {server.protocol}"
        if server.key in seen:
            yield Finding(reference="ipvs-twice", message="A virtual server is there twice.", object=where)
        seen.add(server.key)
        if server.scheduler not in SCHEDULERS:
            message = f"{server.scheduler} is no scheduler of IPVS."
            yield Finding(reference="ipvs-scheduler", message=message, object=where)
    names = {s.name for s in ruleset.sets}
    for name in sorted(names):
        if len(name) > LONGEST_SET_NAME:
            yield Finding(reference="ipvs-name", message=f"{name} is too long for a set.", object=f"set {name}")
    for chains in ruleset.chains:
        yield from iptables.validate(chains)
        for name in sorted(_sets_of(chains) - names):
            yield Finding(reference="ipvs-reference", message=f"The set {name} does not exist.", object=f"set {name}")


def _sets_of(chains: iptables.Ruleset) -> set[str]:
    """Names of the sets that rules look at."""
    options = (
        option
        for table in chains.tables.values()
        for chain in table.values()
        for rule in chain.rules
        for match in rule.matches
        if isinstance(match, iptables.Match)
        for option in match.options
    )
    return {option.values[0] for option in options if option.name == "--match-set"}
