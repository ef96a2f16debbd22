"""Canonical addresses and ranges, from what objects hold.

In go values as decoded from JSON or YAML, possibly of a wrong type or in an old form; out come strings that compare
equal when they mean the same, or None.
Called by the parts of ``view.build``.
Specification: K14, K18 of the behaviour list; decimal reading of ``172.30.0.041`` as kube-proxy does it.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=65536)
def canonical_address(value: object) -> str | None:
    """The address as the kernel prints it, None when it is none; leading zeros do not make a number octal."""
    if not isinstance(value, str):
        return None
    try:
        address = ipaddress.ip_address(_decimal(value.strip()))
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return None if "%" in value else str(address)


@lru_cache(maxsize=65536)
def canonical_range(value: object) -> str | None:
    """The CIDR with its host bits cleared, None when it is none; spaces around it do not matter."""
    if not isinstance(value, str) or "/" not in value:
        return None
    base, _, length = value.strip().partition("/")
    if not (length.isascii() and length.isdigit()):
        return None
    try:
        return str(ipaddress.ip_network(f"{_decimal(base)}/{int(length)}", strict=False))
    except ValueError:
        return None


def _decimal(text: str) -> str:
    """Without leading zeros in the numbers of an IPv4 address."""
    parts = text.split(".")
    if ":" in text or not all(part.isascii() and part.isdigit() for part in parts):
        return text
    return ".".join(str(int(part)) for part in parts)
