"""The records of one Service, by name and type.

In goes a ``NamedService`` with the zone's options; out come the nodes of the name tree that are its own and the
addresses that point back to it.  Called by ``compile.dns``.
Specification: DNS for Services and Pods 1.1.0; names that DNS could not carry are left out.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Protocol

import msgspec

from switchboard.view.choice import family_of
from switchboard.view.name import NamedEndpoint, NamedPort, NamedService

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NAME_LIMIT = 253
_LABEL_LIMIT = 63
_TARGET_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
Target = tuple[str, tuple[str, ...]]


class RecordType(IntEnum):
    """Types of records that a cluster has (IANA's numbers)."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    TXT = 16
    AAAA = 28
    SRV = 33


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record: absolute owner, time to live in seconds, data as in a zone file (RFC 1035, 5)."""

    owner: str
    type: int
    ttl: int
    data: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The sections of an answer.

    ``alias`` marks a CNAME whose target has to be looked up in the zone; ``follow`` is a target outside the zones.
    ``kept`` is false for answers that are made at each question: nothing that hangs on them should be stored.
    """

    rcode: int = 0
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    alias: str = ""
    follow: str = ""
    kept: bool = True


Nodes = dict[bytes, dict[int, Answer]]


class ServiceRecords(msgspec.Struct, frozen=True):
    """What one Service contributes: ``nodes`` by name in wire form, ``pointers`` from addresses to names."""

    nodes: Nodes
    pointers: dict[str, tuple[str, ...]]


class Options(Protocol):
    """What the records depend on besides the Service."""

    @property
    def ttl(self) -> int:
        """Seconds."""

    @property
    def endpoint_pod_names(self) -> bool:
        """Endpoints without hostname are named by their pod."""

    @property
    def ignore_empty_service(self) -> bool:
        """A Service with an address and without endpoints has no name."""


class _Entry(msgspec.Struct, frozen=True):
    """One port of one endpoint."""

    host: str
    addresses: tuple[str, ...]
    port: NamedPort


def wire_name(name: str) -> bytes:
    """An absolute name in wire form and lower case; labels over 63 octets cannot be asked for and are cut."""
    labels = [label.encode("ascii", "replace")[:_LABEL_LIMIT] for label in name.lower().split(".") if label]
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def usable_name(label: str) -> bool:
    """Whether DNS can carry it as one label."""
    return _LABEL.fullmatch(label) is not None


def pointer_name(address: str) -> str:
    """The name below ``in-addr.arpa.`` or ``ip6.arpa.`` of a canonical address."""
    return ipaddress.ip_address(address).reverse_pointer + "."


def address_node(owner: str, addresses: Iterable[str], ttl: int) -> dict[int, Answer]:
    """The A and AAAA answers of a name; a family without address has none."""
    unique = tuple(dict.fromkeys(addresses))
    node: dict[int, Answer] = {}
    for kind, family in ((RecordType.A, 4), (RecordType.AAAA, 6)):
        records = tuple(Record(owner, kind, ttl, address) for address in unique if family_of(address) == family)
        if records:
            node[kind] = Answer(answers=records)
    return node


def service_records(service: NamedService, options: Options, domain: str) -> ServiceRecords:
    """All records of a Service in the zone ``domain``."""
    made = _Maker(service, options, f"{service.name}.{service.namespace}.svc.{domain}")
    nodes: Nodes = {}
    if usable_name(service.name) and usable_name(service.namespace) and service.exists:
        nodes = made.alias() if service.external_name else made.nodes()
    return ServiceRecords(nodes, made.pointers())


class _Maker:
    """Makes the records of one Service named ``base``."""

    def __init__(self, service: NamedService, options: Options, base: str) -> None:
        self._service = service
        self._options = options
        self._base = base

    def alias(self) -> Nodes:
        """ExternalName: a CNAME, unless the name is an address or no name at all."""
        target = self._service.external_name.rstrip(".")
        if len(target) > _NAME_LIMIT or not all(_TARGET_LABEL.fullmatch(label) for label in target.split(".")):
            return {}
        try:
            ipaddress.ip_address(target)
        except ValueError:
            record = Record(self._base, RecordType.CNAME, self._options.ttl, target + ".")
            alias = Answer(answers=(record,), alias=target + ".")
            return {
                wire_name(self._base): {
                    RecordType.CNAME: Answer(answers=(record,)),
                    RecordType.A: alias,
                    RecordType.AAAA: alias,
                }
            }
        return {}

    def nodes(self) -> Nodes:
        """Address, port and endpoint names."""
        if self._options.ignore_empty_service and not self._service.headless and not self._service.groups:
            return {}
        found: Nodes = {}
        endpoints = list(self._endpoints())
        if self._service.headless:
            entries = [e for group in endpoints for e in group]
        else:
            # A Service without ports still has its address.
            ports = self._service.ports or (NamedPort("", "", 0),)
            own = self._service.addresses
            entries = [_Entry("", own, port) for port in ports] if own else []
        if entries:
            self._add(found, self._base, entries)
        for (name, protocol), some in _by_port(entries).items():
            self._add(found, f"_{name}._{protocol}.{self._base}", some)
        hosts: dict[str, list[_Entry]] = {}
        for entry in (e for group in endpoints for e in group):
            hosts.setdefault(entry.host, []).append(entry)
        for host, some in hosts.items():
            self._add(found, f"{host}.{self._base}", some)
        return found

    def pointers(self) -> dict[str, tuple[str, ...]]:
        """Own addresses point to the Service, endpoints' addresses to their names."""
        if not usable_name(self._service.name) or not usable_name(self._service.namespace):
            return {}
        found: dict[str, dict[str, None]] = {}
        for group in self._service.groups:
            for endpoint in group.endpoints:
                for address in endpoint.addresses:
                    host = self._host(endpoint, address)
                    found.setdefault(address, {})[f"{host}.{self._base}"] = None
        own = dict.fromkeys(self._service.addresses, (self._base,))
        return {address: tuple(targets) for address, targets in found.items()} | own

    def _endpoints(self) -> Iterator[list[_Entry]]:
        for group in self._service.groups:
            ports = group.ports or (NamedPort("", "", 0),)
            for endpoint in group.endpoints:
                for address in endpoint.addresses:
                    host = self._host(endpoint, address)
                    yield [_Entry(host, (address,), port) for port in ports]

    def _host(self, endpoint: NamedEndpoint, address: str) -> str:
        if usable_name(endpoint.hostname):
            return endpoint.hostname
        if self._options.endpoint_pod_names and usable_name(endpoint.pod):
            return endpoint.pod
        return address.replace(".", "-").replace(":", "-")

    def _add(self, found: Nodes, owner: str, entries: list[_Entry]) -> None:
        """Addresses and SRV records under one name, SRV with its targets' addresses beside it."""
        ttl = self._options.ttl
        node = address_node(owner, (a for entry in entries for a in entry.addresses), ttl)
        targets: dict[tuple[str, int], None] = {}
        glue: dict[str, dict[str, None]] = {}
        for entry in entries:
            if entry.port.port:
                target = f"{entry.host}.{self._base}" if entry.host else self._base
                targets[target, entry.port.port] = None
                glue.setdefault(target, {}).update(dict.fromkeys(entry.addresses))
        if targets:
            weight = max(1, 100 // len(targets))
            node[RecordType.SRV] = Answer(
                answers=tuple(
                    Record(owner, RecordType.SRV, ttl, f"0 {weight} {port} {target}") for target, port in targets
                ),
                additional=tuple(
                    record
                    for target, addresses in glue.items()
                    for answer in address_node(target, addresses, ttl).values()
                    for record in answer.answers
                ),
            )
        found[wire_name(owner)] = node


def _by_port(entries: Iterable[_Entry]) -> dict[tuple[str, str], list[_Entry]]:
    """Entries by the name and protocol of their ports, in lower case; unnamed ones have no name of their own."""
    found: dict[tuple[str, str], list[_Entry]] = {}
    for entry in entries:
        if usable_name(entry.port.name.lower()):
            found.setdefault((entry.port.name.lower(), entry.port.protocol.lower()), []).append(entry)
    return found
