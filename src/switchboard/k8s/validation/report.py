"""Collects what validation finds in one object, in Kubernetes' own terms: field path and reason.

In: calls of the validators.  Out: findings whose ``reference`` is the reason.
Called by every module of ``k8s.validation``; ``REASONS`` serves the API server's answers.
Specification: field.Error of k8s.io/apimachinery: Required, Invalid, NotSupported, Forbidden, Duplicate, …
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from switchboard.base.findings import Finding, Severity
from switchboard.k8s import objects
from switchboard.k8s.nearest import nearest
from switchboard.k8s.objects import Object

# A finding's reference → the reason in an answer with status 422.
REASONS: Final = {
    "field-required": "FieldValueRequired",
    "field-invalid": "FieldValueInvalid",
    "field-not-supported": "FieldValueNotSupported",
    "field-forbidden": "FieldValueForbidden",
    "field-duplicate": "FieldValueDuplicate",
    "field-too-long": "FieldValueTooLong",
    "field-not-found": "FieldValueNotFound",
    "field-too-many": "FieldValueTooMany",
}
_SHOWN = 60


def shown(value: Any) -> str:
    """A value as JSON, cut to a readable length."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f'"{text[:_SHOWN]}…"' if len(text) > _SHOWN else json.dumps(value, ensure_ascii=False, default=str)


def _last(field: str) -> str:
    return field.rpartition(".")[2]


class Report:
    """The findings about one object, in the order in which they were made."""

    def __init__(self, obj: Object) -> None:
        self.object = objects.reference(obj)
        self.findings: list[Finding] = []

    def _add(self, reference: str, field: str, message: str, hint: str, severity: Severity = Severity.ERROR) -> None:
        self.findings.append(
            Finding(reference=reference, message=message, severity=severity, object=self.object, field=field, hint=hint)
        )

    def required(self, field: str, why: str = "", hint: str = "") -> None:
        """A value that must be there is not; ``why`` completes "… is required"."""
        self._add(
            "field-required",
            field,
            f"`{field}` is required{' ' + why if why else ''}.",
            hint or f"Add `{_last(field)}`.",
        )

    def invalid(self, field: str, value: Any, rule: str, hint: str = "") -> None:
        """A value breaks a rule; ``rule`` completes "… must be"."""
        message = f"`{field}` is {shown(value)}, but must be {rule}."
        self._add("field-invalid", field, message, hint or f"Write {rule}.")

    def refused(self, field: str, message: str, hint: str) -> None:
        """A value is invalid for a reason that needs a sentence of its own."""
        self._add("field-invalid", field, message, hint)

    def not_supported(self, field: str, value: Any, supported: Iterable[str]) -> None:
        """A value is none of a closed list."""
        values = list(supported)
        near = nearest(value, values) if isinstance(value, str) else ""
        hint = f"Did you mean `{near}`?" if near else f"Use one of {', '.join(values)}."
        message = f"`{field}` is {shown(value)}; supported are {', '.join(values)}."
        self._add("field-not-supported", field, message, hint)

    def forbidden(self, field: str, why: str, hint: str = "") -> None:
        """A value may not be there; ``why`` completes "… may not be set"."""
        self._add("field-forbidden", field, f"`{field}` may not be set {why}.", hint or f"Remove `{_last(field)}`.")

    def duplicate(self, field: str, value: Any, hint: str = "") -> None:
        """A value that must be unique is there before."""
        self._add("field-duplicate", field, f"`{field}` repeats {shown(value)}.", hint or "Give each its own value.")

    def too_long(self, field: str, limit: str) -> None:
        """A value has more than ``limit`` (with its unit)."""
        self._add("field-too-long", field, f"`{field}` has more than {limit}.", "Shorten it.")

    def too_many(self, field: str, message: str, hint: str) -> None:
        """A list has more entries than it may have."""
        self._add("field-too-many", field, message, hint)

    def not_found(self, field: str, value: Any, hint: str) -> None:
        """A value names something that is not there."""
        self._add("field-not-found", field, f"`{field}` names {shown(value)}, which is not there.", hint)

    def immutable(self, field: str, value: Any = None, *, forbidden: bool = False) -> None:
        """A value that may not change was changed."""
        message = f"`{field}` may not change once it is set."
        hint = "Keep the value, or delete the object and create it again."
        self._add("field-forbidden" if forbidden else "field-invalid", field, message, hint)

    def warn(self, reference: str, field: str, message: str, hint: str) -> None:
        """Accepted, and not what its author should want."""
        self._add(reference, field, message, hint, Severity.WARNING)

    def problems(self, field: str, value: Any, problems: Iterable[str]) -> None:
        """One ``invalid`` for each rule that a format check found broken."""
        for problem in problems:
            self.invalid(field, value, problem)

    def between(self, field: str, value: Any, low: int, high: int) -> None:
        """A whole number in a range; a missing one counts as 0."""
        number = value if isinstance(value, int) else 0
        if not low <= number <= high:
            self.invalid(field, number, f"a number from {low} to {high}")

    def not_negative(self, field: str, value: Any) -> None:
        """A whole number of 0 or more; a missing one passes."""
        if isinstance(value, int) and value < 0:
            self.invalid(field, value, "0 or greater")
