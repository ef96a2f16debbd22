"""The zones that a cluster's DNS serves: answers made when something changes, so that serving is a look-up.

In go ``Names`` of the view, whole or Service by Service; ``Zone.find`` gives the ``Answer`` to a question.
Called by ``serve.dns`` and by the kubelet; names of questions are in wire form and lower case (RFC 1035, 3.1).
Specification: DNS for Services and Pods 1.1.0, and what CoreDNS' kubernetes plugin adds or leaves out: names between
labels of the schema (``_tcp.web…``, ``96.10.in-addr.arpa``) are NXDOMAIN, reverse names have PTR records and no others.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from enum import IntEnum, StrEnum
from typing import Final

import msgspec

from switchboard.compile._dns_records import (
    Answer,
    Record,
    RecordType,
    Target,
    address_node,
    pointer_name,
    service_records,
    usable_name,
    wire_name,
)
from switchboard.view.name import NamedService, Names, PodAddresses

SCHEMA_VERSION: Final = "1.1.0"
_VERSION_TTL = 28800  # the specification's own example
_LONGEST_CHAIN = 8
_REVERSE = ("in-addr.arpa.", "ip6.arpa.")
_DASHED_V4 = re.compile(r"\d+-\d+-\d+-\d+")


class Rcode(IntEnum):
    """Outcomes (RFC 1035, 4.1.1; BADVERS RFC 6891)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


class PodNames(StrEnum):
    """Which names ``1-2-3-4.namespace.pod.zone`` exist: none, all, or those of pods of that namespace."""

    DISABLED = "disabled"
    INSECURE = "insecure"
    VERIFIED = "verified"


class ZoneOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Settings, named like CoreDNS'; ``servers`` are the DNS server's own addresses, ``ttl`` is in seconds."""

    domain: str = "cluster.local"
    pods: PodNames = PodNames.INSECURE
    ttl: int = 5
    endpoint_pod_names: bool = False
    ignore_empty_service: bool = False
    servers: tuple[str, ...] = ()
    serial: int = 1


class Zone:
    """All zones of one cluster; changes take effect for the next question."""

    def __init__(self, options: ZoneOptions, names: Names | None = None) -> None:
        self.options = options
        self.domain = options.domain.rstrip(".").lower() + "."
        self._server_addresses = options.servers
        self._services: dict[str, NamedService] = {}
        self._namespaces: tuple[str, ...] = ()
        self._pods: dict[str, frozenset[str]] = {}
        self._pod_parents: dict[bytes, str] = {}
        # What each Service contributes, by name; reverse names may belong to several.
        self._nodes: dict[bytes, dict[int, Answer]] = {}
        self._owned: dict[str, tuple[bytes, ...]] = {}
        self._pointers: dict[str, dict[str, tuple[str, ...]]] = {}
        self._pointed: dict[str, tuple[str, ...]] = {}
        self._apexes = {wire_name(zone): _Apex(zone, options) for zone in (self.domain, *_REVERSE)}
        self._servers_name = wire_name(f"ns.dns.{self.domain}")
        self._fixed()
        self.replace(names or Names())

    def replace(self, names: Names) -> None:
        """Makes the zones those of ``names``; only Services that differ are made again."""
        wanted = {service.key: service for service in names.services}
        for key in self._services.keys() - wanted.keys():
            self.remove(key)
        for service in wanted.values():
            self.put(service)
        self.set_namespaces(names.namespaces)
        self.set_pods(names.pods)

    def put(self, service: NamedService) -> None:
        """A Service as it is now."""
        if self._services.get(service.key) == service:
            return
        self.remove(service.key)
        self._services[service.key] = service
        records = service_records(service, self.options, self.domain)
        self._owned[service.key] = tuple(records.nodes)
        self._nodes.update(records.nodes)
        self._pointed[service.key] = tuple(records.pointers)
        for address, targets in records.pointers.items():
            self._pointers.setdefault(address, {})[service.key] = targets
            self._point(address)

    def remove(self, key: str) -> None:
        """Forgets a Service by ``namespace/name``."""
        self._services.pop(key, None)
        for name in self._owned.pop(key, ()):
            del self._nodes[name]
        for address in self._pointed.pop(key, ()):
            del self._pointers[address][key]
            self._point(address)

    def set_namespaces(self, namespaces: Iterable[str]) -> None:
        """The namespaces that exist; each is a name without records."""
        wanted = tuple(name for name in namespaces if usable_name(name))
        if wanted == self._namespaces:
            return
        for name in self._namespaces:
            self._nodes.pop(wire_name(f"{name}.svc.{self.domain}"), None)
            self._nodes.pop(wire_name(f"{name}.pod.{self.domain}"), None)
        self._namespaces = wanted
        self._pod_parents = {}
        for name in wanted:
            self._nodes[wire_name(f"{name}.svc.{self.domain}")] = {}
            if self.options.pods is not PodNames.DISABLED:
                parent = wire_name(f"{name}.pod.{self.domain}")
                self._nodes[parent] = {}
                self._pod_parents[parent] = name

    def set_pods(self, pods: Iterable[PodAddresses]) -> None:
        """The addresses of pods, for ``PodNames.VERIFIED``."""
        self._pods = {each.namespace: frozenset(each.addresses) for each in pods}

    def set_servers(self, addresses: tuple[str, ...]) -> None:
        """The addresses of the DNS servers themselves, for NS records."""
        self._server_addresses = addresses

    def find(self, name: bytes, kind: int) -> Answer | None:
        """The answer to a question of class IN, None outside the zones.

        The same object as before as long as nothing has changed, unless ``Answer.kept`` is false.
        """
        return self._find(name, kind, _LONGEST_CHAIN)

    def zone_of(self, name: bytes) -> str:
        """The zone that a name is in (``cluster.local.``), empty outside."""
        apex = self._apex_of(name)
        return apex.zone if apex else ""

    def _find(self, name: bytes, kind: int, left: int) -> Answer | None:
        node = self._nodes.get(name)
        if node is not None:
            answer = node.get(kind)
            if answer is not None:
                return self._follow(answer, kind, left) if answer.alias else answer
        apex = self._apex_of(name)
        if apex is None:
            return None
        if node is not None:
            # Reverse names are no names for other types, as in CoreDNS.
            return apex.no_name if apex.zone in _REVERSE or RecordType.TXT in node else apex.no_data
        return self._special(name, kind, apex) or apex.no_name

    def _follow(self, alias: Answer, kind: int, left: int) -> Answer:
        """An alias with what its target has; the rest of the way is left to the caller when it leads outside."""
        inner = self._find(wire_name(alias.alias), kind, left - 1) if left else Answer()
        if inner is None:
            return msgspec.structs.replace(alias, follow=alias.alias, kept=False)
        if not inner.answers:
            return self._apexes[wire_name(self.domain)].no_data
        return msgspec.structs.replace(alias, answers=(*alias.answers, *inner.answers), follow=inner.follow, kept=False)

    def _special(self, name: bytes, kind: int, apex: _Apex) -> Answer | None:
        """Answers that are made when they are asked for: of pods, and where the server itself is."""
        if name == self._servers_name:
            found = [address for _, addresses in self._servers() for address in addresses]
            return self._made(address_node(f"ns.dns.{self.domain}", found, self.options.ttl), kind, apex)
        if name == wire_name(apex.zone):
            if kind != RecordType.NS:
                return apex.authority_answer if kind == RecordType.SOA else apex.no_data
            targets = list(self._servers())
            answers = tuple(Record(apex.zone, RecordType.NS, self.options.ttl, target) for target, _ in targets)
            nodes = (address_node(target, addresses, self.options.ttl) for target, addresses in targets)
            glue = tuple(record for node in nodes for answer in node.values() for record in answer.answers)
            return Answer(answers=answers, additional=glue, kept=False)
        first = name[0] + 1
        space = self._pod_parents.get(name[first:])
        if space is None:
            return None
        address = _dashed_address(name[1:first])
        if not address or (self.options.pods is PodNames.VERIFIED and address not in self._pods.get(space, ())):
            return None
        owner = f"{name[1:first].decode()}.{space}.pod.{self.domain}"
        return self._made(address_node(owner, [address], self.options.ttl), kind, apex)

    def _made(self, node: dict[int, Answer], kind: int, apex: _Apex) -> Answer:
        answer = node.get(kind)
        return msgspec.structs.replace(answer, kept=False) if answer else apex.no_data

    def _servers(self) -> Iterator[Target]:
        """Names and addresses of the DNS servers: of the Service before them, otherwise their own."""
        found: dict[str, tuple[str, ...]] = {}
        for server in self._server_addresses:
            for key, targets in self._pointers.get(server, {}).items():
                service = self._services[key]
                if service.exists and not service.headless and service.addresses:
                    found[f"{service.name}.{service.namespace}.svc.{self.domain}"] = service.addresses
                elif service.exists:
                    found.update((target, (server,)) for target in targets)
        yield from found.items() or [(f"ns.dns.{self.domain}", self._server_addresses)]

    def _point(self, address: str) -> None:
        """The PTR records of an address: a Service's own address has its name alone."""
        name = wire_name(pointer_name(address))
        sources = self._pointers[address]
        if not sources:
            del self._pointers[address]
            self._nodes.pop(name, None)
            return
        own = [key for key in sources if address in self._services[key].addresses]
        targets = dict.fromkeys(target for key in sorted(own or sources) for target in sources[key])
        owner = pointer_name(address)
        records = tuple(Record(owner, RecordType.PTR, self.options.ttl, target) for target in targets)
        self._nodes[name] = {RecordType.PTR: Answer(answers=records)}

    def _fixed(self) -> None:
        self._nodes[wire_name(f"svc.{self.domain}")] = {}
        if self.options.pods is not PodNames.DISABLED:
            self._nodes[wire_name(f"pod.{self.domain}")] = {}
        owner = f"dns-version.{self.domain}"
        version = Record(owner, RecordType.TXT, _VERSION_TTL, f'"{SCHEMA_VERSION}"')
        self._nodes[wire_name(owner)] = {RecordType.TXT: Answer(answers=(version,))}

    def _apex_of(self, name: bytes) -> _Apex | None:
        while True:
            apex = self._apexes.get(name)
            if apex is not None or name[0] == 0:
                return apex
            name = name[name[0] + 1 :]


class _Apex:
    """A zone's SOA record and the negative answers that carry it (RFC 2308)."""

    def __init__(self, zone: str, options: ZoneOptions) -> None:
        self.zone = zone
        data = f"ns.dns.{zone} hostmaster.{zone} {options.serial} 7200 1800 86400 {options.ttl}"
        authority = (Record(zone, RecordType.SOA, options.ttl, data),)
        self.no_name = Answer(rcode=Rcode.NXDOMAIN, authority=authority)
        self.no_data = Answer(authority=authority)
        self.authority_answer = Answer(answers=authority)


def _dashed_address(label: bytes) -> str:
    """The address that a label like ``10-244-1-5`` or ``fd00--5`` means, canonical; empty when it is none."""
    text = label.decode("ascii", "replace")
    written = text.replace("-", "." if _DASHED_V4.fullmatch(text) else ":")
    if "." in text or ":" in text or "%" in text:
        return ""
    try:
        return str(ipaddress.ip_address(written))
    except ValueError:
        return ""
