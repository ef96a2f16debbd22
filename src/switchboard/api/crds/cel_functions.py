"""The functions that Kubernetes adds to CEL: lists, sets, regular expressions, quantities, URLs, addresses, versions.

In: values as the CEL library hands them over.  Out: values that it takes back; raises ValueError for wrong texts.
Called by ``cel_library``, which declares them by their types here.
Specification: https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-cel-libraries
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from switchboard.api.crds import formats

# The evaluator is bounded in steps, not in what one step does.
_MAX_TEXT: Final = 100_000
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([eE][+-]?\d+|[numkMGTPE]?|[KMGTPE]i)")
_SUFFIXES: Final = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal(10**3),
    "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}  # fmt: skip
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?"
)
_UNITS: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800,
}  # fmt: skip


class Overload(msgspec.Struct, frozen=True):
    """One form of a function: types in CEL's notation, whether it follows its first argument with a dot."""

    result: str
    parameters: tuple[str, ...]
    member: bool
    call: Callable[..., Any]


def seconds(text: str) -> float:
    """A duration like ``1h30m`` in seconds; raises ValueError."""
    found = re.findall(r"([\d.]+)(ns|us|µs|μs|ms|s|m|h|d|w)", text)
    if text.lstrip("+-") == "0":
        return 0.0
    if not found or "".join(a + b for a, b in found) != text.lstrip("+-"):
        raise ValueError(f"{text!r} is no duration")
    total = sum(float(number) * _UNITS[unit] for number, unit in found)
    return -total if text.startswith("-") else total


def _decimal(text: str) -> Decimal:
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ValueError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    number, suffix = found.groups()
    if suffix[:1] in ("e", "E") and len(suffix) > 1 and suffix[1] != "i":
        return Decimal(number).scaleb(int(suffix[1:])) if abs(int(suffix[1:])) < 100 else Decimal(0)
    return Decimal(number) * _SUFFIXES[suffix]


def _quantity(text: str) -> dict[str, Any]:
    return {"quantity": str(_decimal(text))}


def _semver(text: str) -> dict[str, Any]:
    if not _SEMVER.fullmatch(text):
        raise ValueError(f"{text!r} is no semantic version")
    return {"semver": text}


def _order(value: dict[str, Any]) -> Any:
    """What quantities or versions are compared by."""
    if "quantity" in value:
        return Decimal(value["quantity"])
    found = _SEMVER.fullmatch(value["semver"])
    assert found is not None
    major, minor, patch, before = found.groups()
    parts = [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in before.split(".")] if before else []
    return (int(major), int(minor), int(patch), not before, parts)


def _calculated(sign: int) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    def call(one: dict[str, Any], other: Any) -> dict[str, Any]:
        number = Decimal(other) if isinstance(other, int) else Decimal(other["quantity"])
        return {"quantity": str(Decimal(one["quantity"]) + sign * number)}

    return call


def _is(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def call(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return call


def _whole(quantity: dict[str, Any]) -> int:
    number = Decimal(quantity["quantity"])
    if number != number.to_integral_value():
        raise ValueError("cannot convert value to integer")
    return int(number)


def _url(text: str) -> dict[str, Any]:
    parts = urlsplit(text)
    if not (parts.scheme or text.startswith("/")) or any(c.isspace() for c in text):
        raise ValueError(f"{text!r} is no absolute URL")
    return {"url": text}


def _part(take: Callable[[Any], Any]) -> Callable[[dict[str, Any]], Any]:
    return lambda url: take(urlsplit(url["url"]))


def _ip(text: str) -> dict[str, Any]:
    return {"ip": str(ipaddress.ip_address(text))}


def _cidr(text: str) -> dict[str, Any]:
    if "/" not in text:
        raise ValueError(f"{text!r} is no CIDR")
    return {"cidr": str(ipaddress.ip_interface(text))}


def _address(value: dict[str, Any]) -> Any:
    return ipaddress.ip_address(value["ip"])


def _network(value: dict[str, Any]) -> Any:
    return ipaddress.ip_interface(value["cidr"]).network


def _holds(network: dict[str, Any], other: Any) -> bool:
    if isinstance(other, str):
        other = _cidr(other) if "/" in other else _ip(other)
    inner = _network(other) if "cidr" in other else ipaddress.ip_network(other["ip"])
    outer = _network(network)
    return bool(outer.version == inner.version and inner.subnet_of(outer))


def _found(text: str, pattern: str, limit: int) -> list[str]:
    if len(text) > _MAX_TEXT or len(pattern) > 1000:
        raise ValueError("text or pattern is too long to search")
    found: list[str] = []
    for match in re.compile(pattern).finditer(text):
        if limit >= 0 and len(found) >= limit:
            break
        found.append(match.group(0))
    return found


def _position(values: list[Any], wanted: Any) -> int:
    return next((i for i, v in enumerate(values) if v == wanted), -1)


def _last_position(values: list[Any], wanted: Any) -> int:
    return next((i for i in reversed(range(len(values))) if values[i] == wanted), -1)


def _extreme(choose: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    def call(values: list[Any]) -> Any:
        if not values:
            raise ValueError("min and max need at least one element")
        return choose(values)

    return call


_LABEL, _LABEL_1035 = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", r"[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
# Patterns and lengths by name; what has no pattern is checked as in schemas.
FORMATS: Final[dict[str, tuple[str, int]]] = {
    "dns1123Label": (_LABEL, 63), "dns1123Subdomain": (rf"{_LABEL}(\.{_LABEL})*", 253),
    "dns1035Label": (_LABEL_1035, 63), "dns1123LabelPrefix": (r"[a-z0-9][-a-z0-9]*", 63),
    "dns1123SubdomainPrefix": (r"[a-z0-9]([-a-z0-9.]*)", 253), "dns1035LabelPrefix": (r"[a-z][-a-z0-9]*", 63),
    "qualifiedName": (rf"({_LABEL}(\.{_LABEL})*/)?{_QUALIFIED}", 317), "labelValue": (rf"({_QUALIFIED})?", 63),
    "uri": ("", 0), "uuid": ("", 0), "byte": ("", 0), "date": ("", 0), "datetime": ("", 0),
}  # fmt: skip


def _format(name: str) -> dict[str, Any]:
    return {"format": name}


def _violations(format_: dict[str, Any], text: str) -> list[str] | None:
    """What is wrong with a text, null when nothing is."""
    pattern, length = FORMATS[format_["format"]]
    if not pattern:
        return None if formats.fits(format_["format"], text) else [f"must be a valid {format_['format']}"]
    if len(text) > length:
        return [f"must be no more than {length} characters"]
    return None if re.fullmatch(pattern, text) else [f"must match '{pattern}'"]


def _member(result: str, call: Callable[..., Any], *parameters: str) -> Overload:
    return Overload(result, parameters, True, call)


def _function(result: str, call: Callable[..., Any], *parameters: str) -> Overload:
    return Overload(result, parameters, False, call)


_LIST, _MAP = "list<dyn>", "map<string, dyn>"
FUNCTIONS: Final[dict[str, tuple[Overload, ...]]] = {
    "isSorted": (_member("bool", lambda v: all(a <= b for a, b in pairwise(v)), _LIST),),
    "sum": (_member("dyn", sum, _LIST),),
    "min": (_member("dyn", _extreme(min), _LIST),),
    "max": (_member("dyn", _extreme(max), _LIST),),
    "indexOf": (_member("int", _position, _LIST, "dyn"),),
    "lastIndexOf": (_member("int", _last_position, _LIST, "dyn"),),
    "sets.contains": (_function("bool", lambda a, b: all(x in a for x in b), _LIST, _LIST),),
    "sets.intersects": (_function("bool", lambda a, b: any(x in a for x in b), _LIST, _LIST),),
    "sets.equivalent": (
        _function("bool", lambda a, b: all(x in a for x in b) and all(x in b for x in a), _LIST, _LIST),
    ),
    "find": (_member("string", lambda t, p: (_found(t, p, 1) or [""])[0], "string", "string"),),
    "findAll": (
        _member("list<string>", lambda t, p: _found(t, p, -1), "string", "string"),
        _member("list<string>", _found, "string", "string", "int"),
    ),
    "quantity": (_function(_MAP, _quantity, "string"),),
    "isQuantity": (_function("bool", _is(_quantity), "string"),),
    "semver": (_function(_MAP, _semver, "string"),),
    "isSemver": (_function("bool", _is(_semver), "string"),),
    "isGreaterThan": (_member("bool", lambda a, b: _order(a) > _order(b), _MAP, _MAP),),
    "isLessThan": (_member("bool", lambda a, b: _order(a) < _order(b), _MAP, _MAP),),
    "compareTo": (_member("int", lambda a, b: (_order(a) > _order(b)) - (_order(a) < _order(b)), _MAP, _MAP),),
    "add": (_member(_MAP, _calculated(1), _MAP, "dyn"),),
    "sub": (_member(_MAP, _calculated(-1), _MAP, "dyn"),),
    "sign": (_member("int", lambda q: (_order(q) > 0) - (_order(q) < 0), _MAP),),
    "isInteger": (_member("bool", lambda q: _order(q) == _order(q).to_integral_value(), _MAP),),
    "asInteger": (_member("int", _whole, _MAP),),
    "asApproximateFloat": (_member("double", lambda q: float(_order(q)), _MAP),),
    "major": (_member("int", lambda v: _order(v)[0], _MAP),),
    "minor": (_member("int", lambda v: _order(v)[1], _MAP),),
    "patch": (_member("int", lambda v: _order(v)[2], _MAP),),
    "url": (_function(_MAP, _url, "string"),),
    "isURL": (_function("bool", _is(_url), "string"),),
    "getScheme": (_member("string", _part(lambda u: u.scheme), _MAP),),
    "getHost": (_member("string", _part(lambda u: u.netloc.rpartition("@")[2]), _MAP),),
    "getHostname": (_member("string", _part(lambda u: u.hostname or ""), _MAP),),
    "getPort": (_member("string", _part(lambda u: str(u.port or "")), _MAP),),
    "getEscapedPath": (_member("string", _part(lambda u: u.path), _MAP),),
    "getQuery": (_member(_MAP, _part(lambda u: parse_qs(u.query, keep_blank_values=True)), _MAP),),
    "ip": (
        _function(_MAP, _ip, "string"),
        _member(_MAP, lambda c: {"ip": c["cidr"].partition("/")[0]}, _MAP),
    ),
    "isIP": (_function("bool", _is(_ip), "string"),),
    "ip.isCanonical": (_function("bool", lambda t: _ip(t)["ip"] == t, "string"),),
    "family": (_member("int", lambda a: _address(a).version, _MAP),),
    "isUnspecified": (_member("bool", lambda a: _address(a).is_unspecified, _MAP),),
    "isLoopback": (_member("bool", lambda a: _address(a).is_loopback, _MAP),),
    "isLinkLocalMulticast": (_member("bool", lambda a: _link_local_multicast(_address(a)), _MAP),),
    "isLinkLocalUnicast": (_member("bool", lambda a: _address(a).is_link_local, _MAP),),
    "isGlobalUnicast": (_member("bool", lambda a: _global_unicast(_address(a)), _MAP),),
    "cidr": (_function(_MAP, _cidr, "string"),),
    "isCIDR": (_function("bool", _is(_cidr), "string"),),
    "containsIP": (_member("bool", _holds, _MAP, "dyn"),),
    "containsCIDR": (_member("bool", _holds, _MAP, "dyn"),),
    "prefixLength": (_member("int", lambda c: _network(c).prefixlen, _MAP),),
    **{f"format.{name}": (_function(_MAP, partial(_format, name)),) for name in FORMATS},
    "format.named": (_function("dyn", lambda name: _format(name) if name in FORMATS else None, "string"),),
    "validate": (_member("dyn", _violations, _MAP, "string"),),
    "masked": (_member(_MAP, lambda c: {"cidr": str(_network(c))}, _MAP),),
}


def _link_local_multicast(address: Any) -> bool:
    network = "224.0.0.0/24" if address.version == 4 else "ff02::/16"
    return address in ipaddress.ip_network(network)


def _global_unicast(address: Any) -> bool:
    """What Go calls so: everything that is none of the special ones, private networks included."""
    special = address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local
    return not special and str(address) != "255.255.255.255"
