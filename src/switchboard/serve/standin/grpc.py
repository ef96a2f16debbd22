"""gRPC's framing and its health service, as bytes: pure, called by ``http2``.

A message is a flag byte, four bytes of length and the message itself.
``grpc.health.v1.Health``: the request names a service, which a stand-in does not distinguish; the answer's field 1 is
1 (SERVING) or 2 (NOT_SERVING).  Specification: grpc/grpc doc/PROTOCOL-HTTP2.md and doc/health-checking.md.
"""

from __future__ import annotations

HEALTH_CHECK = "/grpc.health.v1.Health/Check"
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"

OK = 0
UNAVAILABLE = 14


def frame(message: bytes) -> bytes:
    """One uncompressed message."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def health(ready: bool) -> bytes:
    """A framed HealthCheckResponse."""
    return frame(b"\x08\x01" if ready else b"\x08\x02")
