"""Packets to packets: what the server says, without sockets.

In go a packet and whether it came over TCP; out comes the answer, a coroutine for it when other servers must be
asked, or None.  Wire forms are kept as long as the zone gives the same ``Answer``.
Called by ``serve.dns.server`` and tests.
Specification: RFC 1035, 2308, 6891, 7873, 8020 as CoreDNS has it; RFC 4343 (the case of a question comes back).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec

from switchboard.compile._dns_records import Answer, RecordType, wire_name
from switchboard.compile.dns import Rcode, Zone
from switchboard.serve.dns.metrics import Metrics
from switchboard.serve.dns.packet import IN, LARGE, QR, RA, TC, Edns, Fault, Question, header, limit, opt, read
from switchboard.serve.dns.tail import Tail, plain, render
from switchboard.serve.dns.upstream import Upstream, UpstreamError

_MOST_KEPT: Final = 1 << 16
_MOST_SIZES: Final = 8
_ROTATIONS: Final = 4
_TRANSFERS: Final = (251, 252)  # IXFR, AXFR
_ADDRESSES: Final = (RecordType.A, RecordType.AAAA)
Reply = bytes | Coroutine[Any, Any, bytes] | None


class _Kept:
    """Wire forms of one answer to one question: turned by one record each, and cut to a size."""

    __slots__ = ("answer", "cut", "next", "whole")

    def __init__(self, answer: Answer, whole: list[Tail]) -> None:
        self.answer = answer
        self.whole = whole
        self.cut: dict[int, Tail] = {}
        self.next = 0


class Responder:
    """Answers from ``zone``; other names from ``upstream``, or REFUSED without one."""

    def __init__(
        self,
        zone: Zone,
        upstream: Upstream | None = None,
        *,
        secret: bytes = b"",
        clock: Callable[[], float] = lambda: 0.0,
        metrics: Metrics | None = None,
    ) -> None:
        self.zone = zone
        self.metrics = metrics or Metrics()
        self._upstream = upstream
        self._secret = secret
        self._clock = clock
        self._available = RA if upstream else 0
        self._kept: dict[bytes, _Kept] = {}
        self._negative: dict[int, tuple[Answer, Tail]] = {}

    def reply(self, packet: bytes, peer: str = "", *, tcp: bool = False) -> Reply:
        """Never raises; never longer than the question allows."""
        question = read(packet)
        if question is None:
            return None
        if type(question) is Fault:
            edns = question.edns
            own = opt(edns, self._cookie(edns, peer), question.rcode)
            flags = QR | question.flags | question.rcode & 0xF
            head = header(question.ident, flags, bool(question.raw), 0, 0, bool(own))
            self.metrics.responded("", question.rcode, len(head) + len(question.raw) + len(own))
            return head + question.raw + own
        assert isinstance(question, Question)
        if question.group != IN or question.kind in _TRANSFERS:
            return self._refuse(question, peer, tcp)
        answer = self.zone.find(question.name, question.kind)
        if answer is None:
            return self._elsewhere(question, peer, tcp) if self._upstream else self._refuse(question, peer, tcp)
        if answer.follow and self._upstream:
            return self._followed(question, answer, peer, tcp)
        return self._compose(question, self._tail(question, answer, tcp), peer, tcp)

    def _refuse(self, question: Question, peer: str, tcp: bool) -> bytes:
        return self._compose(question, Tail(QR | Rcode.REFUSED, 0, 0, 0, b""), peer, tcp)

    def _compose(self, question: Question, tail: Tail, peer: str, tcp: bool) -> bytes:
        own = opt(question.edns, self._cookie(question.edns, peer)) if question.edns is not None else b""
        most = limit(question, tcp=tcp)
        if 12 + len(question.raw) + len(tail.octets) + len(own) > most:
            tail = self._cut(question, tail, most - len(own))
        flags = question.flags | tail.flags | self._available
        additional = tail.additional + (1 if own else 0)
        head = header(question.ident, flags, 1, tail.answers, tail.authority, additional)
        self.metrics.asked("tcp" if tcp else "udp", peer, question.kind)
        size = len(head) + len(question.raw) + len(tail.octets) + len(own)
        self.metrics.responded(self.zone.domain, tail.flags & 0xF, size)
        return head + question.raw + tail.octets + own

    def _tail(self, question: Question, answer: Answer, tcp: bool) -> Tail:
        if not answer.kept:
            return render(answer, _lower(question), LARGE)
        if not answer.answers:
            return self._negative_tail(answer)
        key = _lower(question)
        kept = self._kept.get(key)
        if kept is None or kept.answer is not answer:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            kept = self._kept[key] = _Kept(answer, [render(turned, key, LARGE) for turned in _turned(answer)])
        kept.next += 1
        return kept.whole[kept.next % len(kept.whole)]

    def _negative_tail(self, answer: Answer) -> Tail:
        """Behind every question the same octets: the SOA record without compression into the question."""
        found = self._negative.get(id(answer))
        if found is None or found[0] is not answer:
            found = self._negative[id(answer)] = (answer, plain(answer))
        return found[1]

    def _cut(self, question: Question, tail: Tail, size: int) -> Tail:
        """The answer again, cut to ``size``."""
        key = _lower(question)
        kept = self._kept.get(key)
        if kept is None or tail not in kept.whole:
            answer = self.zone.find(question.name, question.kind)
            if answer is None or answer.follow or not answer.kept:
                return Tail(tail.flags | TC, 0, 0, 0, b"")
            return render(answer, key, size)
        if size not in kept.cut:
            if len(kept.cut) >= _MOST_SIZES:
                kept.cut.clear()
            kept.cut[size] = render(kept.answer, key, size)
        return kept.cut[size]

    async def _elsewhere(self, question: Question, peer: str, tcp: bool) -> bytes:
        assert self._upstream is not None
        try:
            answer = await self._upstream.ask(question.name, question.kind)
        except UpstreamError:
            answer = Answer(rcode=Rcode.SERVFAIL)
        return self._made(question, answer, peer, tcp, authoritative=False)

    async def _followed(self, question: Question, answer: Answer, peer: str, tcp: bool) -> bytes:
        """An alias to a name outside, with what its servers say about that."""
        assert self._upstream is not None
        try:
            found = await self._upstream.ask(wire_name(answer.follow), question.kind)
            whole = msgspec.structs.replace(answer, answers=(*answer.answers, *found.answers))
        except UpstreamError:
            whole = msgspec.structs.replace(answer, rcode=Rcode.SERVFAIL)
        return self._made(question, whole, peer, tcp, authoritative=True)

    def _made(self, question: Question, answer: Answer, peer: str, tcp: bool, *, authoritative: bool) -> bytes:
        """An answer that is not kept, cut to what the question allows."""
        own = opt(question.edns, self._cookie(question.edns, peer))
        size = limit(question, tcp=tcp) - len(own)
        tail = render(answer, _lower(question), size, authoritative=authoritative)
        return self._compose(question, tail, peer, tcp)

    def _cookie(self, edns: Edns | None, peer: str) -> bytes:
        """The client's cookie with ours: version, time and a keyed hash, in the form of RFC 9018."""
        if edns is None or not edns.cookie:
            return b""
        client = edns.cookie[:8]
        stamp = b"\1\0\0\0" + (int(self._clock()) & 0xFFFFFFFF).to_bytes(4, "big")
        proof = hashlib.blake2s(client + stamp + peer.encode(), key=self._secret[:32], digest_size=8).digest()
        return client + stamp + proof


def _lower(question: Question) -> bytes:
    return question.name + question.raw[-4:]


def _turned(answer: Answer) -> list[Answer]:
    """The answer with its addresses in several orders, so that clients which take the first share the load."""
    records = answer.answers
    if len(records) < 2 or any(record.type not in _ADDRESSES for record in records):
        return [answer]
    count = min(len(records), _ROTATIONS)
    steps = [len(records) * i // count for i in range(count)]
    return [msgspec.structs.replace(answer, answers=(*records[step:], *records[:step])) for step in steps]
