"""Formats and patterns of text in structural schemas.

In: a format or pattern and a text.  Out: whether the text has it.
Called by ``check`` and ``structural``.
Specification: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation
Patterns are RE2, as in kube-apiserver: linear in the length of the text, whatever the pattern.
"""

from __future__ import annotations

import base64
import binascii
import functools
import ipaddress
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

_UUID = re.compile(r"(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?([0-9a-f])[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_DURATION_UNITS = "ns|us|µs|μs|ms|s|m|h|d|w|nanosecond|microsecond|millisecond|second|minute|hour|day|week"
_DURATION = re.compile(rf"[+-]?(\d+(\.\d*)?|\.\d+)({_DURATION_UNITS})((\d+(\.\d*)?|\.\d+)({_DURATION_UNITS}))*|0")
_HOST = re.compile(
    r"(?=.{1,253}\Z)([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)*"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|[^@\s]+@localhost")
_NUMBERS: Final = {
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}


def fits(format_: str, text: str) -> bool:
    """Whether a text has a format; formats that Kubernetes does not know are always fulfilled."""
    check = _FORMATS.get(format_)
    return check is None or check(text)


def fits_number(format_: str, number: float) -> bool:
    """Whether a number lies in the range of ``int32``, ``int64``, …; other formats are always fulfilled."""
    low, high = _NUMBERS.get(format_, (None, None))
    return low is None or high is None or low <= number <= high


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text; an invalid pattern is found in none."""
    expression = _compiled(pattern)
    return expression.eval(data={"text": text}).plain_value() is True


def pattern_fault(pattern: str) -> str:
    """What is wrong with a pattern, empty when nothing is."""
    try:
        answer = _compiled(pattern).eval(data={"text": ""}).plain_value()
    except RuntimeError as error:
        return str(error)
    return "" if isinstance(answer, bool) else str(answer).partition(": ")[2]


@functools.lru_cache(maxsize=512)
def _compiled(pattern: str) -> Any:
    # CEL's ``matches`` is RE2 itself. Imported here: most clusters have no custom resource at all.
    from cel_expr_python import cel

    literal = msgspec.json.encode(pattern).decode()
    return cel.NewEnv(variables={"text": cel.Type.STRING}).compile(f"text.matches({literal})")


def _parsed(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return check


def _moment(text: str) -> bool:
    return bool(_TIME.fullmatch(text)) and _parsed(datetime.fromisoformat)(text.upper().replace("Z", "+00:00"))


def _uuid(version: str) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        found = _UUID.fullmatch(text)
        return found is not None and (not version or found.group(1) == version)

    return check


def _uri(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme or text.startswith("/")) and not any(c.isspace() for c in text)


def _byte(text: str) -> bool:
    return _parsed(lambda t: base64.b64decode(t, validate=True))(text)


def _mac(text: str) -> bool:
    return bool(re.fullmatch(r"([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}|([0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4}", text))


def _isbn(length: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        digits = re.sub("[- ]", "", text)
        if len(digits) != length or not re.fullmatch(r"\d+[\dXx]", digits):
            return False
        values = [10 if d in "Xx" else int(d) for d in digits]
        if length == 10:
            return sum((10 - i) * v for i, v in enumerate(values)) % 11 == 0
        return sum((1 if i % 2 == 0 else 3) * v for i, v in enumerate(values)) % 10 == 0

    return check


_FORMATS: Final[dict[str, Callable[[str], bool]]] = {
    "date-time": _moment,
    "datetime": _moment,
    "date": lambda t: bool(re.fullmatch(r"\d{4}-\d\d-\d\d", t)) and _parsed(date.fromisoformat)(t),
    "duration": lambda t: bool(_DURATION.fullmatch(t.replace(" ", ""))),
    "ipv4": _parsed(ipaddress.IPv4Address),
    "ipv6": _parsed(ipaddress.IPv6Address),
    "cidr": lambda t: "/" in t and _parsed(lambda x: ipaddress.ip_network(x, strict=False))(t),
    "mac": _mac,
    "uri": _uri,
    "hostname": lambda t: bool(_HOST.fullmatch(t)),
    "email": lambda t: bool(_MAIL.fullmatch(t)),
    "uuid": _uuid(""),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4"),
    "uuid5": _uuid("5"),
    "byte": _byte,
    "isbn": lambda t: _isbn(10)(t) or _isbn(13)(t),
    "isbn10": _isbn(10),
    "isbn13": _isbn(13),
    "creditcard": lambda t: bool(re.fullmatch(r"[\d -]{13,23}", t)),
    "ssn": lambda t: bool(re.fullmatch(r"\d{3}[- ]?\d{2}[- ]?\d{4}", t)),
    "hexcolor": lambda t: bool(re.fullmatch(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", t)),
    "rgbcolor": lambda t: bool(re.fullmatch(r"rgb\(\s*\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3}\s*\)", t)),
}
