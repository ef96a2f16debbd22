"""Questions read from packets, and what is put around an answer: header, question, OPT.

In go bytes of anybody; out come a ``Question`` or the reason for none.  Never raises, whatever the bytes.
This is the part of the wire format that every packet passes, so it is read in place; records are made by dnspython.
Called by ``serve.dns.responder``.
Specification: RFC 1035 (4.1), RFC 6891 (EDNS), RFC 7873 (cookies), RFC 9619 (one question).
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from switchboard.compile.dns import Rcode

HEADER: Final = 12
IN: Final = 1
SMALL: Final = 512
LARGE: Final = 65535
#: The largest datagram that IPv4 carries.
DATAGRAM: Final = 65507
#: What this server wants to receive: fits into one frame nearly everywhere.
RECEIVE: Final = 1232
QR: Final = 0x8000
AA: Final = 0x0400
TC: Final = 0x0200
RD: Final = 0x0100
RA: Final = 0x0080
CD: Final = 0x0010
_OPCODE: Final = 0x7800
_OPT = 41
_COOKIE = 10
_DO = 0x8000
_LONGEST_NAME = 255
_POINTER = 0xC0
_HEAD = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_PAIR = struct.Struct("!HH")


class Edns(msgspec.Struct, frozen=True, gc=False):
    """The OPT record of a question; ``cookie`` is empty when there is none."""

    size: int
    version: int
    dnssec_ok: bool
    cookie: bytes = b""


class Question(msgspec.Struct, frozen=True, gc=False):
    """One question: ``name`` in lower case, ``raw`` the question as it was asked, ``flags`` those to be copied."""

    ident: bytes
    flags: int
    raw: bytes
    name: bytes
    kind: int
    group: int
    edns: Edns | None = None


class Fault(msgspec.Struct, frozen=True, gc=False):
    """A packet that gets an error instead of an answer; ``edns`` as far as it was read."""

    rcode: int
    ident: bytes
    flags: int
    raw: bytes = b""
    edns: Edns | None = None


def read(packet: bytes) -> Question | Fault | None:
    """None for what deserves no answer: too short for a header, or itself an answer."""
    if len(packet) < HEADER:
        return None
    _, flags, questions, answers, authority, additional = _HEAD.unpack_from(packet)
    if flags & QR:
        return None
    ident = packet[:2]
    copied = flags & (_OPCODE | RD | CD)
    if flags & _OPCODE:
        return Fault(Rcode.NOTIMP, ident, copied)
    end = _name_end(packet, HEADER) if questions == 1 and not answers and not authority else 0
    if not end or end + 4 > len(packet):
        return Fault(Rcode.FORMERR, ident, copied)
    kind, group = _PAIR.unpack_from(packet, end)
    raw = packet[HEADER : end + 4]
    # Lengths of labels are below the letters, so that lower() leaves them alone.
    name = packet[HEADER:end].lower()
    edns: Edns | None = None
    if additional:
        well_formed, edns = _opt(packet, end + 4, additional)
        if not well_formed:
            return Fault(Rcode.FORMERR, ident, copied, raw)
        if edns is not None and edns.version:
            return Fault(Rcode.BADVERS, ident, copied, raw, edns)
    return Question(ident, copied, raw, name, kind, group, edns)


def _name_end(packet: bytes, at: int) -> int:
    """Where a name without compression ends, 0 when it is none."""
    start = at
    while at < len(packet):
        length = packet[at]
        if length == 0:
            return at + 1 if at + 1 - start <= _LONGEST_NAME else 0
        if length & _POINTER:
            return 0
        at += length + 1
    return 0


def _opt(packet: bytes, at: int, count: int) -> tuple[bool, Edns | None]:
    """Whether ``count`` records from ``at`` are well-formed, and the one OPT record among them."""
    edns: Edns | None = None
    for _ in range(count):
        end = _skip_name(packet, at)
        if not end or end + _RECORD.size > len(packet):
            return False, None
        kind, size, extended, length = _RECORD.unpack_from(packet, end)
        data = end + _RECORD.size
        if data + length > len(packet):
            return False, None
        if kind == _OPT:
            cookie = _cookie(packet[data : data + length])
            if edns is not None or end != at + 1 or cookie is None:
                return False, None
            edns = Edns(size, extended >> 16 & 0xFF, bool(extended & _DO), cookie)
        at = data + length
    return True, edns


def _skip_name(packet: bytes, at: int) -> int:
    while at < len(packet):
        length = packet[at]
        if length == 0:
            return at + 1
        if length & _POINTER == _POINTER:
            return at + 2
        if length & _POINTER:
            return 0
        at += length + 1
    return 0


def _cookie(options: bytes) -> bytes | None:
    """The COOKIE option, empty without; None when the options or its length (RFC 7873, 5.2.2) are wrong."""
    at, found = 0, b""
    while at < len(options):
        if at + 4 > len(options):
            return None
        code, length = _PAIR.unpack_from(options, at)
        at += 4 + length
        if at > len(options):
            return None
        if code == _COOKIE and not found:
            found = options[at - length : at]
            if length != 8 and not 16 <= length <= 40:
                return None
    return found


def opt(edns: Edns | None, cookie: bytes, rcode: int = 0) -> bytes:
    """The OPT record of the answer, nothing when the question had none (RFC 6891, 6.1.1)."""
    if edns is None:
        return b""
    options = _PAIR.pack(_COOKIE, len(cookie)) + cookie if cookie else b""
    flags = (rcode >> 4) << 24 | (_DO if edns.dnssec_ok else 0)
    return b"\0" + _RECORD.pack(_OPT, RECEIVE, flags, len(options)) + options


def limit(question: Question, *, tcp: bool) -> int:
    """How large the answer may be, in octets."""
    if tcp:
        return LARGE
    return min(max(question.edns.size, SMALL), DATAGRAM) if question.edns else SMALL


def header(ident: bytes, flags: int, questions: int, answers: int, authority: int, additional: int) -> bytes:
    """The first twelve octets."""
    return ident + _HEAD.pack(0, flags, questions, answers, authority, additional)[2:]
