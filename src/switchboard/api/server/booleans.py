"""Truth in query parameters, as kube-apiserver reads it.

In: the text of a parameter.  Out: a boolean; no text raises.
Called by the request parser and the options.
Specification: apimachinery's conversion of query values: empty, ``false`` and ``0`` are false, the rest is true.
"""

from __future__ import annotations


def truthy(text: str) -> bool:
    """Whether a parameter switches something on."""
    return text.lower() not in ("", "false", "0")
