"""How rules write values: whether an address, port, mark or name is what a pattern of a rule says.

In go a value of a packet and the text of a pattern; out comes whether it fits.
Called by the evaluators beside this file.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from switchboard.trace.rules.walk import RefusedError

_NUMBERS = {"6": "tcp", "17": "udp", "132": "sctp", "1": "icmp", "58": "ipv6-icmp"}


@lru_cache(maxsize=65536)
def _bounds(pattern: str) -> tuple[int, int, int] | None:
    """Family and both ends of an address, a CIDR or a range, None for anything else."""
    try:
        if "-" in pattern:
            first, last = (ipaddress.ip_address(p) for p in pattern.split("-"))
            return first.version, int(first), int(last)
        net = ipaddress.ip_network(pattern, strict=False)
        return net.version, int(net.network_address), int(net.broadcast_address)
    except ValueError:
        return None


def address_fits(address: str, pattern: str) -> bool:
    """The address is in a CIDR (also with a mask after the slash), in a range, or equal."""
    bounds = _bounds(pattern)
    if bounds is None:
        raise RefusedError("This is no address:", pattern)
    found = ipaddress.ip_address(address)
    return found.version == bounds[0] and bounds[1] <= int(found) <= bounds[2]


def number_fits(number: int, pattern: str, separator: str = "-") -> bool:
    """The number is equal to, or between, what the pattern says; service names are refused."""
    first, _, last = pattern.partition(separator)
    try:
        low = int(first, 0) if first else 0
        return low <= number <= (int(last, 0) if last else (0xFFFF if separator in pattern else low))
    except ValueError:
        raise RefusedError("This is no number:", pattern) from None


def protocol_fits(protocol: str, pattern: str) -> bool:
    """The protocol is the one with this name or number."""
    return _NUMBERS.get(pattern, pattern).lower() in (protocol, "all", "0")


def name_fits(name: str, pattern: str, wildcard: str) -> bool:
    """The interface has this name, or begins with it when it ends in the wildcard."""
    plain = pattern.strip('"')
    return name.startswith(plain[:-1]) if plain.endswith(wildcard) else name == plain
