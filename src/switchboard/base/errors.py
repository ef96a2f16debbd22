"""Errors that people read: what is wrong, where, and what to do.

Raised anywhere, rendered by ``cli``; foreign exceptions are translated into these at the rim and chained.
Exit codes are those of the product: 1 findings, 2 wrong usage or unreadable input, 3 the machine refused.
"""

from __future__ import annotations


class SwitchboardError(Exception):
    """A fault that is told to a person.

    Args:
        reference: kebab-case name, unique in the code base and documented (``no-nftables``).
        message: what is wrong, one sentence.
        context: where (file, line, object, field); empty when the message says it.
        hint: what to do about it.
    """

    exit_code = 3

    def __init__(self, reference: str, message: str, *, context: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.reference = reference
        self.message = message
        self.context = context
        self.hint = hint

    def __str__(self) -> str:
        where = f" ({self.context})" if self.context else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.message}{where}{hint}"


class UsageError(SwitchboardError):
    """Wrong usage or unreadable input."""

    exit_code = 2


class MachineError(SwitchboardError):
    """The cluster or the machine refused: no rights, a missing program, no namespaces."""

    exit_code = 3
