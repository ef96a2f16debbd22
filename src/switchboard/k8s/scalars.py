"""What a YAML scalar means to Kubernetes, and which text a mapping key becomes.

In: a scalar's text and tag.  Out: a JSON value.
Called by ``k8s.reading``.
Specification: kubectl reads YAML 1.1 as the Go package sigs.k8s.io/yaml resolves it and turns it into JSON:
``yes``, ``on`` and ``y`` are booleans, ``0644`` is octal, ``1:30`` and dates stay text.
"""

from __future__ import annotations

import base64
import binascii
import math
import re

_CONSTANTS: dict[str, bool | float | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_NUMBER_STARTS = frozenset("0123456789+-.")
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_INTEGER_DIGITS = 400  # longer ones are refused by Python's own limit, and by every field of every kind
_EXACT = 2**53

TAG = "tag:yaml.org,2002:"

Scalar = str | int | float | bool | None


class ScalarError(ValueError):
    """A scalar that JSON cannot express or that contradicts its own tag; the message says which."""


def resolve(text: str, tag: str | None, plain: bool) -> Scalar:
    """The JSON value of a scalar; raises ScalarError.

    Args:
        text: the scalar without quotes.
        tag: the explicit tag in its long form, None without one.
        plain: whether it stood without quotes.
    """
    if tag is None or tag == "!":
        return _plain(text) if plain and tag is None else text
    if tag == TAG + "binary":
        return _binary(text)
    if tag not in (TAG + "bool", TAG + "int", TAG + "float", TAG + "null"):
        return text  # !!str, !!timestamp, and tags nobody here knows
    value = _plain(text)
    wanted = tag.removeprefix(TAG)
    if wanted == "float" and type(value) is int:
        return value
    kinds = {"bool": bool, "int": int, "float": float, "null": type(None)}
    if type(value) is not kinds[wanted]:
        raise ScalarError(f"`{text[:60]}` is tagged !!{wanted}, but is none.")
    return value


def key_text(value: Scalar) -> str:
    """The text that a mapping key becomes in JSON; raises ScalarError where there is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        raise ScalarError("A key is missing before the colon.")
    return str(value)


def _plain(text: str) -> Scalar:
    if text in _CONSTANTS:
        value = _CONSTANTS[text]
        if isinstance(value, float):
            raise ScalarError(f"`{text}` is not a number that JSON can carry; put it in quotes if it is text.")
        return value
    if text[0] not in _NUMBER_STARTS:
        return text
    return _number(text)


def _number(text: str) -> int | float | str:
    digits = text if text[0] == "." else text.replace("_", "")
    match = _INTEGER.match(digits)
    if match and len(digits) <= _INTEGER_DIGITS:
        sign, hexadecimal, binary, octal, decimal = match.groups()
        for written, base in ((hexadecimal, 16), (binary, 2), (octal, 8), (decimal, 10)):
            if written is not None:
                return int(sign + written, base)
    if not _FLOAT.match(digits):
        return text
    number = float(digits)
    if math.isinf(number):
        return text  # out of range for Go's parser, which then takes it for text
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def _binary(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ScalarError("A !!binary value is not base64 of UTF-8 text.") from error
