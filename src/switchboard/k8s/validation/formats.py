"""Forms that Kubernetes demands of texts: names, labels, ports, addresses.

In: a text.  Out: the rules that it breaks, each completing "must be …"; empty when it is right.
Called by the other modules of ``k8s.validation``.
Specification: k8s.io/apimachinery/pkg/util/validation, RFC 1123, RFC 6335; strict addresses as of Kubernetes 1.36.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

LABEL_LENGTH: Final = 63
SUBDOMAIN_LENGTH: Final = 253
PORT_NAME_LENGTH: Final = 15

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?\Z")
_PERCENT = re.compile(r"[0-9]+%\Z")
_ENVIRONMENT = re.compile(r"[ -<>-~]+\Z")
_PREFIX_LENGTH = re.compile(r"(0|[1-9][0-9]*)\Z")
_ANY_NUMBER = re.compile(r"0+(?=\d)")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def dns_label(text: str) -> list[str]:
    """RFC 1123 label: names of Services, namespaces, containers, ports."""
    problems = [f"at most {LABEL_LENGTH} characters long"] if len(text) > LABEL_LENGTH else []
    if not _LABEL.match(text):
        problems.append("lower-case letters, digits and dashes, with a letter or digit at both ends")
    return problems


def dns_subdomain(text: str) -> list[str]:
    """RFC 1123 subdomain: names of most objects, hosts."""
    problems = [f"at most {SUBDOMAIN_LENGTH} characters long"] if len(text) > SUBDOMAIN_LENGTH else []
    if not _SUBDOMAIN.match(text):
        problems.append("a lower-case DNS name: letters, digits and dashes between dots")
    return problems


def wildcard_subdomain(text: str) -> list[str]:
    """``*.`` and a subdomain."""
    if not text.startswith("*.") or not _SUBDOMAIN.match(text[2:]) or len(text) > SUBDOMAIN_LENGTH:
        return ["a wildcard as first label only, such as *.example.com"]
    return []


def path_segment(text: str) -> list[str]:
    """What may stand between two slashes of an API path."""
    if text in (".", ".."):
        return ["something else than . or .."]
    return [f"without {c!r}" for c in "/%" if c in text]


def qualified_name(text: str) -> list[str]:
    """``name`` or ``dns.prefix/name``: label and annotation keys, application protocols."""
    prefix, slash, name = text.rpartition("/")
    if "/" in prefix:
        return ["a name with at most one DNS prefix, such as example.com/name"]
    problems = []
    if slash:
        problems += ["a name with a DNS name before the slash"] if not prefix or dns_subdomain(prefix) else []
    if len(name) > LABEL_LENGTH:
        problems.append(f"a name of at most {LABEL_LENGTH} characters")
    if not _QUALIFIED.match(name):
        problems.append("letters, digits, dashes, underscores and dots, with a letter or digit at both ends")
    return problems


def label_value(text: str) -> list[str]:
    """The value of a label; empty is allowed."""
    problems = [f"at most {LABEL_LENGTH} characters long"] if len(text) > LABEL_LENGTH else []
    if not _VALUE.match(text):
        problems.append("letters, digits, dashes, underscores and dots, with a letter or digit at both ends")
    return problems


def port_name(text: str) -> list[str]:
    """IANA service name (RFC 6335): names of container ports."""
    problems = []
    if len(text) > PORT_NAME_LENGTH:
        problems.append(f"at most {PORT_NAME_LENGTH} characters long")
    if not re.match(r"[-a-z0-9]+\Z", text):
        problems.append("lower-case letters, digits and dashes")
    if not re.search(r"[a-z]", text):
        problems.append("a name with at least one letter (a number is written without quotes)")
    if "--" in text or text.startswith("-") or text.endswith("-"):
        problems.append("without a dash at either end and without two in a row")
    return problems


def percent(text: str) -> list[str]:
    """``25%``."""
    return [] if _PERCENT.match(text) else ["a number or a percentage such as 25%"]


def environment_name(text: str) -> list[str]:
    """The name of an environment variable: printable ASCII without ``=``."""
    return [] if _ENVIRONMENT.match(text) else ["printable characters without ="]


def address(text: str) -> tuple[Address | None, list[str]]:
    """An IP address and the rules it breaks; new values must be written strictly."""
    if "%" in text:
        return None, ["an IP address without a zone"]
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        lenient = _lenient(text)
        return lenient, ["an IP address without leading zeros" if lenient else "an IP address"]
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        return parsed, ["an IP address, not an IPv4 one inside IPv6"]
    return parsed, []


def cidr(text: str) -> tuple[Network | None, list[str]]:
    """An address range and the rules it breaks; new values must be written strictly."""
    before, slash, length = text.partition("/")
    parsed, problems = address(before)
    if not slash or parsed is None or not re.fullmatch(r"\d{1,4}", length) or int(length) > parsed.max_prefixlen:
        return None, ["an address range such as 10.9.8.0/24 or 2001:db8::/64"]
    if not _PREFIX_LENGTH.match(length):
        problems = ["an address range without leading zeros"]
    network = ipaddress.ip_network(f"{parsed}/{int(length)}", strict=False)
    if not problems and network.network_address != parsed:
        problems = [f"the address of a network: {network}"]
    return network, problems


def family(parsed: Address) -> str:
    """``IPv4`` or ``IPv6``."""
    return f"IPv{parsed.version}"


def _lenient(text: str) -> Address | None:
    """An IPv4 address with leading zeros, as older versions read it."""
    parts = text.split(".")
    if len(parts) != 4 or not all(re.fullmatch(r"\d{1,4}", part) for part in parts):
        return None
    try:
        return ipaddress.IPv4Address(".".join(_ANY_NUMBER.sub("", part) for part in parts))
    except ValueError:
        return None
