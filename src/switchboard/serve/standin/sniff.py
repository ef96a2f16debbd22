"""What protocol a client speaks, told from its first bytes.

Bytes come in, a ``Kind`` goes out, or None while the bytes still fit several; called by ``connection`` for each
connection and once more inside TLS.  First bytes: TLS record RFC 8446 5.1, HTTP/2 preface RFC 9113 3.4,
request line RFC 9112 3.
"""

from __future__ import annotations

import re
from enum import StrEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LONGEST_LINE = 64 * 1024

# The methods that the request parser accepts; with them "PING" is plain TCP at its third letter.
_NAMES = (
    "ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE "
    "NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE "
    "UNBIND UNLINK UNLOCK UNSUBSCRIBE"
)
_METHODS = tuple(name.encode() + b" " for name in _NAMES.split())
_LONGEST_METHOD = max(map(len, _METHODS))
_VERSION = re.compile(rb" HTTP/[0-9.]+\s*$")


class Kind(StrEnum):
    """A protocol on a TCP connection."""

    TLS = "tls"
    HTTP1 = "http/1"
    HTTP2 = "http/2"
    RAW = "tcp"


def classify(data: bytes) -> Kind | None:
    """The protocol that begins with these bytes; None while more bytes are needed to tell."""
    if not data:
        return None
    if data[0] == 0x16:
        return _classify_record(data)
    if data.startswith(PREFACE[:16]):
        return Kind.HTTP2
    if PREFACE.startswith(data):
        return None
    if _has_method(data):
        return _classify_line(data)
    return None if any(method.startswith(data[:_LONGEST_METHOD]) for method in _METHODS) else Kind.RAW


def classify_overdue(data: bytes) -> Kind:
    """The protocol when the client has fallen silent or closed: the likelier reading of what there is."""
    return classify(data) or (Kind.HTTP1 if _has_method(data) else Kind.RAW)


def awaits_line(data: bytes) -> bool:
    """Whether an HTTP request line has begun, so that silence is a slow client rather than plain TCP."""
    return _has_method(data)


def _has_method(data: bytes) -> bool:
    return data.startswith(_METHODS)


def _classify_record(data: bytes) -> Kind | None:
    """A handshake record (16 03 0x), two bytes of length, then handshake type 1: ClientHello."""
    for position, allowed in ((1, b"\x03"), (2, b"\x00\x01\x02\x03\x04"), (5, b"\x01")):
        if len(data) > position and data[position] not in allowed:
            return Kind.RAW
    return Kind.TLS if len(data) > 5 else None


def _classify_line(data: bytes) -> Kind | None:
    end = data.find(b"\n")
    if end < 0:
        return Kind.HTTP1 if len(data) > LONGEST_LINE else None
    return Kind.HTTP1 if _VERSION.search(data, 0, end) else Kind.RAW
