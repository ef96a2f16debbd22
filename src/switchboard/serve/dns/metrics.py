"""What the DNS server counts, under CoreDNS' names, in the text format of Prometheus.

Called by ``serve.dns.responder`` for each packet, so it only adds to numbers; ``text`` makes the page.
Specification: CoreDNS' metrics plugin; Prometheus exposition format 0.0.4.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Final

from switchboard.compile.dns import Rcode

_SIZES: Final = (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000)
_TYPES: Final = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV",
                 35: "NAPTR", 43: "DS", 48: "DNSKEY", 65: "HTTPS", 255: "ANY"}  # fmt: skip
_HELP: Final = {
    "coredns_dns_requests_total": "Counter of DNS requests made per zone, protocol and family.",
    "coredns_dns_responses_total": "Counter of response status codes.",
    "coredns_cache_hits_total": "The count of cache hits.",
    "coredns_cache_misses_total": "The count of cache misses.",
    "coredns_forward_requests_total": "Counter of requests made per upstream.",
}


class Metrics:
    """Counters of one server."""

    def __init__(self, server: str = "dns://:53") -> None:
        self._server = server
        self._requests: Counter[tuple[str, bool, int]] = Counter()
        self._responses: Counter[tuple[str, int]] = Counter()
        self._sizes = [0] * (len(_SIZES) + 1)
        self._octets = 0
        self._other: Counter[str] = Counter()

    def asked(self, protocol: str, peer: str, kind: int) -> None:
        """A question of a peer (its address decides the family)."""
        self._requests[protocol, ":" in peer, kind if kind in _TYPES else 0] += 1

    def responded(self, zone: str, rcode: int, octets: int) -> None:
        """An answer."""
        self._responses[zone, rcode] += 1
        self._sizes[bisect_left(_SIZES, octets)] += 1
        self._octets += octets

    def count(self, name: str) -> None:
        """One more of ``name``, one of those above without labels of its own."""
        self._other[name] += 1

    def text(self) -> str:
        """The page."""
        server = f'server="{self._server}"'
        lines = _heading("coredns_dns_requests_total")
        for (protocol, six, kind), number in sorted(self._requests.items()):
            labels = f'family="{2 if six else 1}",proto="{protocol}",{server},type="{_TYPES.get(kind, "other")}"'
            lines.append(f'coredns_dns_requests_total{{{labels},view="",zone="."}} {number}')
        lines += _heading("coredns_dns_responses_total")
        for (zone, rcode), number in sorted(self._responses.items()):
            word = Rcode(rcode).name if rcode in set(Rcode) else str(rcode)
            labels = f'plugin="kubernetes",rcode="{word}",{server},view="",zone="{zone or "."}"'
            lines.append(f"coredns_dns_responses_total{{{labels}}} {number}")
        lines += self._histogram(server)
        for name, number in sorted(self._other.items()):
            lines += [*_heading(name), f"{name}{{{server}}} {number}"]
        return "\n".join(lines) + "\n"

    def _histogram(self, server: str) -> list[str]:
        name = "coredns_dns_response_size_bytes"
        lines = [f"# HELP {name} Size of the returned response in bytes.", f"# TYPE {name} histogram"]
        below = 0
        for bound, number in zip((*map(str, _SIZES), "+Inf"), self._sizes, strict=True):
            below += number
            lines.append(f'{name}_bucket{{{server},le="{bound}"}} {below}')
        return [*lines, f"{name}_sum{{{server}}} {self._octets}", f"{name}_count{{{server}}} {below}"]


def _heading(name: str) -> list[str]:
    return [f"# HELP {name} {_HELP.get(name, name)}", f"# TYPE {name} counter"]
