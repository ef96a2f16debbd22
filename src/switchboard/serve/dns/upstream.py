"""Names outside the cluster: other servers that are asked, what they said, and for how long it holds.

In goes a question (name in wire form, type); out comes an ``Answer`` or an ``UpstreamError``.
Called by ``serve.dns.responder``; dnspython does the exchange, with a port and a number of its own for each question.
Specification: RFC 1035 (7.2), RFC 2308 (negative answers), RFC 5452 (answers that may be believed).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from switchboard.compile._dns_records import Answer, Record, RecordType, wire_name
from switchboard.compile.dns import Rcode

if TYPE_CHECKING:
    import dns.message

SECONDS: Final = 2.0
_TRIES: Final = 2
_MOST_KEPT: Final = 10000
_LONGEST: Final = 3600
_LONGEST_NEGATIVE: Final = 1800
_USABLE: Final = (Rcode.NOERROR, Rcode.NXDOMAIN)
Server = tuple[str, int]
Exchange = Callable[["dns.message.Message", Server, float], Awaitable["dns.message.Message"]]


class UpstreamError(Exception):
    """No server has given a usable answer in time."""


class Upstream(Protocol):
    """Whoever knows the names outside."""

    async def ask(self, name: bytes, kind: int) -> Answer:
        """The answer; raises UpstreamError."""


class Recorded:
    """An outside with these records and no others; without any, nothing exists there."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._records: dict[bytes, list[Record]] = {}
        for record in records:
            self._records.setdefault(wire_name(record.owner), []).append(record)

    async def ask(self, name: bytes, kind: int) -> Answer:
        """At once."""
        found = self._records.get(name)
        if found is None:
            return Answer(rcode=Rcode.NXDOMAIN)
        return Answer(answers=tuple(record for record in found if record.type == kind))


class _Known(msgspec.Struct, frozen=True):
    answer: Answer
    since: float
    until: float


async def exchange(query: dns.message.Message, server: Server, seconds: float) -> dns.message.Message:
    """One question to one server: UDP, and TCP when the answer was truncated."""
    import dns.asyncquery

    message, _ = await dns.asyncquery.udp_with_fallback(query, server[0], timeout=seconds, port=server[1])
    return message


class Forwarder:
    """Asks ``servers`` in turn; those that failed last are asked last.

    Equal questions at one time are asked once; answers are kept for their TTL, negative ones for their SOA's minimum.
    """

    def __init__(
        self,
        servers: Iterable[Server],
        clock: Callable[[], float],
        *,
        exchange: Exchange = exchange,
        seconds: float = SECONDS,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._servers = list(servers)
        self._clock = clock
        self._exchange = exchange
        self._seconds = seconds
        self._count = count
        self._known: dict[tuple[bytes, int], _Known] = {}
        self._open: dict[tuple[bytes, int], asyncio.Task[Answer]] = {}

    async def ask(self, name: bytes, kind: int) -> Answer:
        """What is known, with the time that is left of it, or what a server says."""
        key = (name, kind)
        known = self._known.get(key)
        now = self._clock()
        if known is not None and now < known.until:
            self._count("coredns_cache_hits_total")
            return _aged(known.answer, int(now - known.since))
        self._count("coredns_cache_misses_total")
        task = self._open.get(key)
        if task is None:
            task = self._open[key] = asyncio.get_running_loop().create_task(self._fetch(name, kind))
            task.add_done_callback(lambda _: self._open.pop(key))
        return await asyncio.shield(task)

    async def _fetch(self, name: bytes, kind: int) -> Answer:
        import dns.exception
        import dns.flags
        import dns.message
        import dns.name
        import dns.rdatatype

        owner, _ = dns.name.from_wire(name, 0)
        for _ in range(_TRIES):
            for server in list(self._servers):
                query = dns.message.make_query(owner, dns.rdatatype.RdataType.make(kind), use_edns=0, payload=1232)
                self._count("coredns_forward_requests_total")
                try:
                    message = await self._exchange(query, server, self._seconds)
                except (dns.exception.DNSException, OSError, EOFError, TimeoutError):
                    message = None
                if message is not None and int(message.rcode()) in _USABLE:
                    answer = _answer(message)
                    self._keep((name, kind), answer)
                    return answer
                self._servers.remove(server)
                self._servers.append(server)
        raise UpstreamError

    def _keep(self, key: tuple[bytes, int], answer: Answer) -> None:
        seconds = _lifetime(answer)
        if seconds > 0:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            now = self._clock()
            self._known[key] = _Known(answer, now, now + seconds)


def _answer(message: dns.message.Message) -> Answer:
    sections = [
        tuple(
            Record(rrset.name.to_text(), int(rrset.rdtype), int(rrset.ttl), rdata.to_text())
            for rrset in section
            for rdata in rrset
        )
        for section in (message.answer, message.authority)
    ]
    return Answer(rcode=int(message.rcode()), answers=sections[0], authority=sections[1], kept=False)


def _lifetime(answer: Answer) -> int:
    """Seconds; 0 for a negative answer without SOA record (RFC 2308, 5)."""
    if answer.answers and answer.rcode == Rcode.NOERROR:
        return min(_LONGEST, *(record.ttl for record in answer.answers))
    marks = [record for record in answer.authority if record.type == RecordType.SOA]
    return min((min(r.ttl, int(r.data.split()[-1]), _LONGEST_NEGATIVE) for r in marks), default=0)


def _aged(answer: Answer, seconds: int) -> Answer:
    def older(records: tuple[Record, ...]) -> tuple[Record, ...]:
        return tuple(msgspec.structs.replace(record, ttl=max(0, record.ttl - seconds)) for record in records)

    return msgspec.structs.replace(answer, answers=older(answer.answers), authority=older(answer.authority))


def servers_of(written: Iterable[str], default: Mapping[str, int] | None = None) -> list[Server]:
    """``ADDRESS`` or ``ADDRESS:PORT`` (IPv6 in brackets) as servers; raises ValueError."""
    import ipaddress

    port_of = default or {"port": 53}
    found = []
    for text in written:
        host, colon, port = text.rpartition(":")
        if not colon or (text.count(":") > 1 and not text.startswith("[")) or text.endswith("]"):
            host, port = text, str(port_of["port"])
        number = int(port)
        if not 0 < number < 65536:
            raise ValueError(f"{port} is no port")
        found.append((str(ipaddress.ip_address(host.strip("[]"))), number))
    return found
