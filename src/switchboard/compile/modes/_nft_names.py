"""Names of the objects that belong to one service port or endpoint: readable, unique, never too long.

In go a kind of object and what it stands for; out comes a name that nft accepts.
Called by ``compile.modes.nftables`` and its parts.
Specification: section 2.3 and K147 of the behaviour list.
"""

from __future__ import annotations

import base64
import hashlib

from switchboard.view.service import Endpoint, ServicePort

LONGEST = 240


def digest(text: str) -> str:
    """Eight characters that stand for a text."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:8]


def of_port(kind: str, port: ServicePort) -> str:
    """``service-2QRHZV4L-ns/name/tcp/web``."""
    return _name(kind, f"{port.namespace}/{port.name}/{port.protocol.lower()}/{port.port_name}")


def of_endpoint(kind: str, port: ServicePort, endpoint: Endpoint) -> str:
    """``endpoint-5OJB2KTY-ns/name/tcp/web__10.180.0.1/80``; colons are not for names."""
    address = endpoint.address.replace(":", ".")
    readable = f"{port.namespace}/{port.name}/{port.protocol.lower()}/{port.port_name}__{address}/{endpoint.port}"
    return _name(kind, readable)


def of_content(kind: str, content: str) -> str:
    """``firewall-7XQ3M2AB``: equal content has equal names, so that Services share one object."""
    return f"{kind}-{digest(content)}"


def _name(kind: str, readable: str) -> str:
    name = f"{kind}-{digest(readable)}-{readable}"
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."
