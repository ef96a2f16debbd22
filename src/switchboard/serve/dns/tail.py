"""The sections after a question, in wire form.

In go an ``Answer`` and the question in lower case; out comes a ``Tail`` that fits behind that question in any
spelling, since compressed names point into it.  dnspython makes the records; it is imported at the first question.
Called by ``serve.dns.responder``.
Specification: RFC 1035 (4.1.4 compression), RFC 2181 (9, truncation: TC as soon as anything is left out).
"""

from __future__ import annotations

import io
from typing import Any

import msgspec

from switchboard.compile._dns_records import Answer, Record
from switchboard.serve.dns.packet import AA, HEADER, QR, TC


class Tail(msgspec.Struct, frozen=True, gc=False):
    """``flags`` hold QR, AA, TC and RCODE; then the numbers of records, and the records themselves."""

    flags: int
    answers: int
    authority: int
    additional: int
    octets: bytes


def render(answer: Answer, question: bytes, size: int, *, authoritative: bool = True) -> Tail:
    """As much of ``answer`` as ``size`` octets hold, header and question included."""
    import dns.exception
    import dns.name
    import dns.rdataclass
    import dns.renderer

    make: Any = dns.renderer.Renderer  # it has no types of its own
    renderer = make(id=0, flags=0, max_size=size)
    name, _ = dns.name.from_wire(question, 0)
    renderer.add_question(name, int.from_bytes(question[-4:-2], "big"), dns.rdataclass.IN)
    start = len(renderer.output.getbuffer())
    flags = QR | (AA if authoritative else 0) | answer.rcode & 0xF
    try:
        for section, records in enumerate((answer.answers, answer.authority, answer.additional), 1):
            for record in records:
                _add(renderer, section, record)
    except dns.exception.TooBig:
        flags |= TC
    _, answers, authority, additional = renderer.counts
    assert start == HEADER + len(question)
    return Tail(flags, answers, authority, additional, renderer.output.getvalue()[start:])


def plain(answer: Answer) -> Tail:
    """The authority section alone, without compression: it fits behind every question."""
    import dns.rrset

    octets = io.BytesIO()
    for record in answer.authority:
        rrset = dns.rrset.from_rdata(record.owner, record.ttl, _rdata(record))
        rrset.to_wire(octets)
    return Tail(QR | AA | answer.rcode & 0xF, 0, len(answer.authority), 0, octets.getvalue())


def _add(renderer: Any, section: int, record: Record) -> None:
    import dns.name
    import dns.rdataset

    rdataset = dns.rdataset.from_rdata(record.ttl, _rdata(record))
    renderer.add_rdataset(section, dns.name.from_text(record.owner), rdataset)


def _rdata(record: Record) -> Any:
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype

    return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.RdataType.make(record.type), record.data)
