"""SPDY/3.1 framing, as much as port forwarding needs: bytes to frames and back, without sockets.

In: bytes in any portions.  Out: frames; input that breaks the protocol ends in a ``Broken`` frame, nothing raises.
Called by ``serve.port_forward``: kubectl tunnels a SPDY connection through its WebSocket.
Specification: draft-mbelshe-httpbis-spdy-00 (frames in 2.2 and 2.6, header dictionary in 2.6.10.1); SPDY/3.1 differs
only in flow control, which kubectl's library does not have in either direction.
Memory is bounded: data frames come out in the portions they came in, control frames and header blocks have a limit.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

VERSION: Final = 3
PROTOCOL_ERROR: Final = 1
REFUSED_STREAM: Final = 3
INTERNAL_ERROR: Final = 6
MOST_CONTROL: Final = 32 * 1024
MOST_HEADERS: Final = 64 * 1024

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_FIN: Final = 1
_HEAD: Final = 8
_STREAM: Final = 0x7FFFFFFF
_WORDS: Final = (
    *("options", "head", "post", "put", "delete", "trace", "accept", "accept-charset", "accept-encoding"),
    *("accept-language", "accept-ranges", "age", "allow", "authorization", "cache-control", "connection"),
    *("content-base", "content-encoding", "content-language", "content-length", "content-location", "content-md5"),
    *("content-range", "content-type", "date", "etag", "expect", "expires", "from", "host", "if-match"),
    *("if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified", "location"),
    *("max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "range", "referer", "retry-after"),
    *("server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via", "warning"),
    *("www-authenticate", "method", "get", "status", "200 OK", "version", "HTTP/1.1", "url", "public"),
    *("set-cookie", "keep-alive", "origin"),
)
_PHRASES: Final = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY: Final = b"".join(struct.pack(">I", len(w)) + w.encode() for w in _WORDS) + _PHRASES.encode()


class SynStream(msgspec.Struct, frozen=True):
    """The peer opens a stream; header names are lower case; ``fin`` says that it sends nothing on it."""

    stream: int
    headers: dict[str, str]
    fin: bool = False


class SynReply(msgspec.Struct, frozen=True):
    """The peer accepts a stream."""

    stream: int
    headers: dict[str, str]
    fin: bool = False


class Data(msgspec.Struct, frozen=True):
    """A portion of a stream; after ``fin`` the peer sends nothing more on it."""

    stream: int
    payload: bytes
    fin: bool = False


class Reset(msgspec.Struct, frozen=True):
    """The peer gives a stream up."""

    stream: int
    status: int


class Ping(msgspec.Struct, frozen=True):
    """To be sent back as it is."""

    number: int


class GoAway(msgspec.Struct, frozen=True):
    """The peer opens no more streams."""

    status: int


class Broken(msgspec.Struct, frozen=True):
    """What came is no SPDY/3; the connection cannot go on."""

    why: str


Frame = SynStream | SynReply | Data | Reset | Ping | GoAway | Broken


class Decoder:
    """Frames of what one peer sends; header blocks are compressed as one stream over the connection's life."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        # Of the data frame that is under way: stream, bytes that are missing, its flag.
        self._under_way: tuple[int, int, bool] | None = None
        self._broken = False

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that ``data`` completes; nothing more after ``Broken``."""
        if self._broken:
            return []
        self._buffer += data
        found: list[Frame] = []
        while not self._broken:
            frame = self._portion() if self._under_way else self._next()
            if frame is None:
                break
            if frame:
                found.append(frame[0])
        return found

    def _portion(self) -> tuple[Frame] | tuple[()] | None:
        assert self._under_way is not None
        stream, missing, fin = self._under_way
        if missing and not self._buffer:
            return None
        payload = bytes(self._buffer[:missing])
        del self._buffer[:missing]
        missing -= len(payload)
        self._under_way = (stream, missing, fin) if missing else None
        return (Data(stream, payload, fin and not missing),)

    def _next(self) -> tuple[Frame] | tuple[()] | None:
        """A frame, nothing for one that does not matter, None when bytes are missing."""
        if len(self._buffer) < _HEAD:
            return None
        first, second = struct.unpack_from(">II", self._buffer)
        flags, length = second >> 24, second & 0xFFFFFF
        if not first >> 31:
            del self._buffer[:_HEAD]
            if not first:
                return self._break("data on stream 0")
            self._under_way = (first, length, bool(flags & _FIN))
            return ()
        if first >> 16 & 0x7FFF != VERSION:
            return self._break("the version is not 3")
        if length > MOST_CONTROL:
            return self._break("a control frame is too long")
        if len(self._buffer) < _HEAD + length:
            return None
        body = bytes(self._buffer[_HEAD : _HEAD + length])
        del self._buffer[: _HEAD + length]
        return self._control(first & 0xFFFF, flags, body)

    def _control(self, kind: int, flags: int, body: bytes) -> tuple[Frame] | tuple[()]:
        if kind in (_SYN_STREAM, _SYN_REPLY):
            skipped = 10 if kind == _SYN_STREAM else 4
            headers = self._headers(body[skipped:]) if len(body) >= skipped else None
            if headers is None:
                return self._break("a header block is not readable")
            stream = int.from_bytes(body[:4], "big") & _STREAM
            made = SynStream if kind == _SYN_STREAM else SynReply
            return (made(stream, headers, bool(flags & _FIN)),) if stream else self._break("stream 0 is opened")
        if kind in (_RST_STREAM, _GOAWAY) and len(body) == 8:
            stream, status = struct.unpack(">II", body)
            return (Reset(stream & _STREAM, status) if kind == _RST_STREAM else GoAway(status),)
        if kind == _PING and len(body) == 4:
            return (Ping(int.from_bytes(body, "big")),)
        # Compressed headers that are skipped would make every later block unreadable.
        if kind == 8 and (len(body) < 4 or self._headers(body[4:]) is None):
            return self._break("a header block is not readable")
        return ()

    def _headers(self, block: bytes) -> dict[str, str] | None:
        try:
            plain = self._inflate.decompress(block, MOST_HEADERS)
        except zlib.error:
            return None
        if self._inflate.unconsumed_tail or self._inflate.eof:
            return None
        return _pairs(plain)

    def _break(self, why: str) -> tuple[Frame]:
        self._broken = True
        self._buffer.clear()
        return (Broken(why),)


def _pairs(block: bytes) -> dict[str, str] | None:
    """Headers of an inflated block, None when it is malformed."""
    words: list[str] = []
    at = 4
    if len(block) < at:
        return None
    for _ in range(2 * min(int.from_bytes(block[:4], "big"), len(block))):
        length = int.from_bytes(block[at : at + 4], "big")
        if at + 4 + length > len(block):
            return None
        words.append(block[at + 4 : at + 4 + length].decode(errors="replace"))
        at += 4 + length
    if at != len(block):
        return None
    return {name.lower(): value for name, value in zip(words[::2], words[1::2], strict=True)}


class Encoder:
    """Bytes of what this side sends; frames must go out in the order in which they were made."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def syn_stream(self, stream: int, headers: Mapping[str, str], *, fin: bool = False) -> bytes:
        """Opens a stream."""
        return _control(_SYN_STREAM, fin, struct.pack(">IIH", stream, 0, 0) + self._block(headers.items()))

    def syn_reply(self, stream: int, headers: Mapping[str, str] | None = None) -> bytes:
        """Accepts a stream."""
        return _control(_SYN_REPLY, False, struct.pack(">I", stream) + self._block((headers or {}).items()))

    def _block(self, pairs: Iterable[tuple[str, str]]) -> bytes:
        words = [word.encode() for pair in pairs for word in pair]
        plain = struct.pack(">I", len(words) // 2) + b"".join(struct.pack(">I", len(w)) + w for w in words)
        return self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def data(stream: int, payload: bytes, *, fin: bool = False) -> bytes:
    """A portion of a stream, below 16 MiB."""
    return struct.pack(">II", stream, (int(fin) * _FIN) << 24 | len(payload)) + payload


def reset(stream: int, status: int) -> bytes:
    """Gives a stream up."""
    return _control(_RST_STREAM, False, struct.pack(">II", stream, status))


def ping(number: int) -> bytes:
    """The answer to a ping, or a ping."""
    return _control(_PING, False, struct.pack(">I", number))


def go_away(last: int, status: int = 0) -> bytes:
    """Opens no more streams; ``last`` is the last one that was accepted."""
    return _control(_GOAWAY, False, struct.pack(">II", last, status))


def _control(kind: int, fin: bool, body: bytes) -> bytes:
    return struct.pack(">HHI", 0x8000 | VERSION, kind, (_FIN if fin else 0) << 24 | len(body)) + body
