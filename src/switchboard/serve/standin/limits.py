"""Bounds of one stand-in, so that no peer can make it hold more than a little memory or wait for ever.

Read by the connection and the protocol layers; the caller may replace any of them.
"""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes, times in seconds.

    ``head`` bounds request line and headers (414, 431), ``body`` a request body (413; it is counted, not kept);
    after such an answer an HTTP/2 stream may bring ``surplus`` more before it is reset.
    ``queue`` bounds pipelined requests, ``streams`` those of an HTTP/2 connection, ``connections`` those of a pod.
    ``idle`` closes a connection on which nothing happens, ``receive`` one whose request does not go on (408).
    ``sniff`` is how long an undecided first word may stay unanswered before it counts as plain TCP.
    ``linger`` is how long input is thrown away after a refusal, so that the peer can read it.
    ``sweep`` is the resolution of these times, ``call`` the time and ``call_body`` the size of an answer of another
    Service; ``delay`` caps what a request or an annotation asks to wait.
    """

    head: int = 64 * 1024
    body: int = 64 * 1024 * 1024
    surplus: int = 1024 * 1024
    queue: int = 256
    streams: int = 128
    connections: int = 4096
    idle: float = 600.0
    receive: float = 30.0
    sniff: float = 0.5
    linger: float = 2.0
    sweep: float = 5.0
    call: float = 5.0
    call_body: int = 64 * 1024
    delay: float = 600.0
