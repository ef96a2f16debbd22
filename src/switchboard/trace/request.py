"""What is asked for: a request of an outside client or of a pod, and the address in it.

Comes in: a URL or ``host:port`` as a person writes it.  Goes out: its parts, or a finding that says what is wrong.
Called by ``trace.path``; built by the command line and the demo.  URLs follow RFC 3986.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

import msgspec

from switchboard.base.findings import Finding

_DEFAULT_PORTS = {"http": 80, "https": 443}


class OutsideRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A request from outside the cluster.

    ``address`` is where the client connects to when it does not ask a name server (as ``curl --resolve``).
    ``client`` is the client's address; empty is unknown.  Header names are compared without case.
    """

    url: str
    headers: dict[str, str] = {}
    cookies: dict[str, str] = {}
    client: str = ""
    address: str = ""


class PodRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A request from a pod (``namespace/name``) to a URL, a ``host:port`` or an ``address:port``."""

    pod: str
    url: str
    headers: dict[str, str] = {}
    cookies: dict[str, str] = {}
    protocol: str = "TCP"


class Url(msgspec.Struct, frozen=True):
    """The parts of a URL: ``host`` in lower case without brackets and without a final dot, ``path`` without query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def address(self) -> str:
        """The host in canonical form when it is an address, otherwise empty."""
        return canonical_address(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if _DEFAULT_PORTS.get(self.scheme) == self.port else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def canonical_address(text: str) -> str:
    """An IPv4 or IPv6 address in canonical form, empty for anything else."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return ""
    return str(parsed)


def parse_url(text: str) -> Url | Finding:
    """The parts of a URL; without a scheme it is ``tcp`` and needs a port."""
    written = text if "://" in text else f"tcp://{text}"
    try:
        parts = urlsplit(written)
        port = parts.port
    except ValueError as error:
        return _bad(text, f"{text!r} is not a URL: {error}.")
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https", "tcp", "udp"):
        return _bad(text, f"The scheme {scheme!r} is none that can be traced.")
    host = (parts.hostname or "").removesuffix(".")
    if not host:
        return _bad(text, f"{text!r} names no host.")
    number = _DEFAULT_PORTS.get(scheme, 0) if port is None else port
    if not number:
        return _bad(text, f"{text!r} needs a port.")
    return Url(scheme, host, number, parts.path or "/")


def _bad(text: str, message: str) -> Finding:
    return Finding(
        reference="bad-url",
        message=message,
        object=text,
        hint="Write it as https://api.example.com/path, or as host:port.",
    )
