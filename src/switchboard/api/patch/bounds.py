"""Limits that every patch keeps, whatever it says: values are JSON, and nested so deep at most.

In: JSON values.  Out: the same or a copy, or ``BadRequest``.
Called by the patch types and by server-side apply, before anything recurses into a value.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from switchboard.api.errors import BadRequest

MAX_DEPTH: Final = 128


def bounded(value: Any) -> Any:
    """The value itself; raises ``BadRequest`` when it is nested more than 128 levels deep."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return value
    raise BadRequest(f"the value is nested more than {MAX_DEPTH} levels deep")


def copied(value: Any) -> Any:
    """A copy that shares nothing; raises ``BadRequest`` for what is nested too deep or is no JSON."""
    try:
        return msgspec.json.decode(msgspec.json.encode(bounded(value)))
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise BadRequest(f"the value is not representable as JSON: {error}") from error
