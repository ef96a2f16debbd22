"""Findings: what is wrong with somebody's input, as data.

Bad input yields collected findings and never an exception; every layer that cannot honour something
(manifest loader, validation, view, compilers, controllers) returns them, ``cli`` renders them.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """How much a finding matters; the order is error, warning, info."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Place(msgspec.Struct, frozen=True):
    """Where in a source text: ``line`` and ``column`` count from 1, 0 is unknown."""

    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong: reference names the fault, message what, hint what to do.

    ``object`` is ``Kind namespace/name`` (or ``Kind name``), ``field`` a path as Kubernetes writes it
    (``spec.ports[0].port``); both are empty where they do not apply.
    """

    reference: str
    message: str
    severity: Severity = Severity.ERROR
    object: str = ""
    field: str = ""
    hint: str = ""
    place: Place = Place()
