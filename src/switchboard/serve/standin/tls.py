"""TLS for one connection without a socket: bytes of the wire come in, plain text goes out, and back.

Called by ``connection`` when the first bytes are a ClientHello; works over memory, because those bytes have been
read already.  Certificates are PEM pairs from the caller; a stand-in without one signs its own.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from pathlib import Path

_READ = 64 * 1024
ALPN = ("h2", "http/1.1")


def server_context(chain: str, key: str) -> ssl.SSLContext:
    """A server context for a certificate chain and its key (both PEM); raises ssl.SSLError for unusable ones."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(list(ALPN))
    pem = (chain.rstrip("\n") + "\n" + key.rstrip("\n") + "\n").encode()
    # OpenSSL's wrapper reads keys from files only; a file in memory keeps the key off the disk.
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("certificate", os.MFD_CLOEXEC)
        try:
            os.write(fd, pem)
            context.load_cert_chain(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)
        return context
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "certificate.pem")
        path.touch(mode=0o600)
        path.write_bytes(pem)
        context.load_cert_chain(path)
    return context


class TlsChannel:
    """One server-side TLS session; ``established`` after the handshake, ``closed`` after the peer's close."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.established = False
        self.closed = False

    def feed(self, data: bytes) -> bytes:
        """Plain text of these bytes of the wire; raises ssl.SSLError when the peer breaks the protocol."""
        self._incoming.write(data)
        if not self.established:
            try:
                self._session.do_handshake()
            except ssl.SSLWantReadError:
                return b""
            self.established = True
        parts = []
        try:
            while not self.closed:
                part = self._session.read(_READ)
                self.closed = not part
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.closed = True
        return b"".join(parts)

    def encrypt(self, data: bytes) -> bytes:
        """Bytes for the wire."""
        if data:
            self._session.write(data)
        return self._outgoing.read()

    def close(self) -> bytes:
        """The bytes that tell the peer of the end; empty when the handshake has not come that far."""
        with contextlib.suppress(ssl.SSLError, ValueError):
            self._session.unwrap()
        return self._outgoing.read()

    def pending(self) -> bytes:
        """Bytes that the handshake or an alert wants on the wire."""
        return self._outgoing.read()
