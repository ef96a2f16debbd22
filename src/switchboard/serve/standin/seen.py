"""Which requests carried ``x-corpus-id: ID``, remembered for ``GET /__seen/ID``.

One object is shared by all stand-ins of a process, because a question reaches any pod of a Service.
Called by ``answer``; bounded, the oldest id is forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

MOST_IDS = 4096
MOST_REQUESTS = 256


class Seen:
    """Requests by (who remembers them, id); the first is ``namespace/name`` of a Service, or a pod's own."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[tuple[str, str], tuple[int, list[dict[str, Any]]]] = OrderedDict()

    def record(self, owner: str, ident: str, request: dict[str, Any]) -> None:
        """Counts one request; only the first ones are kept whole."""
        count, kept = self._by_id.pop((owner, ident), (0, []))
        if len(kept) < MOST_REQUESTS:
            kept.append(request)
        self._by_id[owner, ident] = (count + 1, kept)
        if len(self._by_id) > MOST_IDS:
            self._by_id.popitem(last=False)

    def of(self, owner: str, ident: str) -> tuple[int, list[dict[str, Any]]]:
        """How many requests carried the id, and those kept."""
        count, kept = self._by_id.get((owner, ident), (0, []))
        return count, list(kept)
