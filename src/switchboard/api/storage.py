"""Where objects lie: serialised bytes by kind, namespace and name, one revision counter, and a bounded log of changes.

In: bytes that ``store`` has prepared.  Out: records, and the changes since a revision.
Called by ``store`` only; a durable storage implements the same ``Storage`` protocol.
One revision is one change, so the log is addressed by subtraction; it forgets its oldest changes beyond its limit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec

from switchboard.api.errors import Expired
from switchboard.k8s.objects import Object

ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"


class Record(msgspec.Struct, frozen=True):
    """One stored object: ``data`` is its JSON, ``labels`` a copy for selectors, ``revision`` its last change."""

    kind: str
    namespace: str
    name: str
    revision: int
    data: bytes
    labels: Mapping[str, str]

    @property
    def object(self) -> Object:
        """The object, decoded anew at each call: callers may change what they get."""
        return decode(self.data)


class Event(msgspec.Struct, frozen=True):
    """One change: ``type`` is ADDED, MODIFIED or DELETED; a deletion carries the last state at the deleting revision.

    ``previous`` is the state before, None for an addition.
    """

    type: str
    kind: str
    namespace: str
    name: str
    resource_version: int
    data: bytes
    previous: bytes | None = None

    @property
    def object(self) -> Object:
        """The object of the event, decoded anew at each call."""
        return decode(self.data)


def decode(data: bytes) -> Object:
    """An object from its stored bytes."""
    decoded: Object = msgspec.json.decode(data)
    return decoded


class Storage(Protocol):
    """What the store needs; all calls come from one thread."""

    @property
    def revision(self) -> int:
        """The revision of the latest change, 0 when there was none."""

    @property
    def settled(self) -> int:
        """The revision up to which ``events`` tells everything: later changes are still on their way to the disk."""

    def get(self, kind: str, namespace: str, name: str) -> Record | None:
        """One record, None when it is not there."""

    def scan(self, kind: str, namespace: str | None = None) -> Iterator[Record]:
        """All records of a kind, or those of one namespace, ordered by namespace and name."""

    def put(self, kind: str, namespace: str, name: str, data: bytes, labels: Mapping[str, str]) -> Event:
        """Write one object at the next revision."""

    def remove(self, kind: str, namespace: str, name: str, data: bytes) -> Event:
        """Remove one object at the next revision; ``data`` is the last state that watchers see."""

    def events(self, since: int, kinds: Collection[str] | None = None) -> list[Event]:
        """Changes after a revision, in order; raises ``Expired`` when the log no longer reaches back that far."""

    def transaction(self) -> Any:
        """A context manager: writes within become final at its end, and are undone when an exception leaves it."""

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after each final write or transaction; the answer unsubscribes."""

    async def flush(self, revision: int | None = None) -> None:
        """Return when a revision (all up to now, when not given) survives a crash; writers give that of their write.

        Raises ``InternalError`` when it was withdrawn because it could not be kept.
        """


class Index:
    """The records of a storage by kind, namespace and name, in memory; every storage reads from one."""

    def __init__(self) -> None:
        self._kinds: dict[str, dict[tuple[str, str], Record]] = {}
        self._spaces: dict[tuple[str, str], dict[tuple[str, str], Record]] = {}
        self._sorted: dict[tuple[str, str | None], list[tuple[str, str]]] = {}

    def get(self, kind: str, namespace: str, name: str) -> Record | None:
        """One record, None when it is not there."""
        return self._kinds.get(kind, {}).get((namespace, name))

    def scan(self, kind: str, namespace: str | None = None) -> Iterator[Record]:
        """All records of a kind, or those of one namespace, ordered by namespace and name."""
        found = self._kinds.get(kind, {}) if namespace is None else self._spaces.get((kind, namespace), {})
        keys = self._sorted.get((kind, namespace))
        if keys is None:
            keys = self._sorted[kind, namespace] = sorted(found)
        return (found[key] for key in keys if key in found)

    def place(self, kind: str, namespace: str, name: str, record: Record | None) -> None:
        """Set what lies at a place; None clears it."""
        key = (namespace, name)
        spaces = self._spaces.setdefault((kind, namespace), {})
        kinds = self._kinds.setdefault(kind, {})
        if record is not None and key in kinds:
            kinds[key] = spaces[key] = record
            return
        # The set of names changes, and with it the order; a replacement above leaves both.
        self._sorted.pop((kind, None), None)
        self._sorted.pop((kind, namespace), None)
        if record is not None:
            kinds[key] = spaces[key] = record
            return
        kinds.pop(key, None)
        spaces.pop(key, None)
        if not spaces:
            del self._spaces[kind, namespace]


class MemoryStorage:
    """A storage in this process, gone with it."""

    def __init__(self, log_limit: int = 50_000) -> None:
        self._revision = 0
        self._index = Index()
        self._log: list[Event] = []
        self._log_limit = log_limit
        self._undo: list[tuple[str, str, str, Record | None]] | None = None
        self._subscribers: list[Callable[[], None]] = []

    @property
    def revision(self) -> int:
        """The revision of the latest change, 0 when there was none."""
        return self._revision

    @property
    def settled(self) -> int:
        """Everything is told at once here."""
        return self._revision

    def get(self, kind: str, namespace: str, name: str) -> Record | None:
        """One record, None when it is not there."""
        return self._index.get(kind, namespace, name)

    def scan(self, kind: str, namespace: str | None = None) -> Iterator[Record]:
        """All records of a kind, or those of one namespace, ordered by namespace and name."""
        return self._index.scan(kind, namespace)

    def put(self, kind: str, namespace: str, name: str, data: bytes, labels: Mapping[str, str]) -> Event:
        """Write one object at the next revision."""
        before = self.get(kind, namespace, name)
        record = Record(kind, namespace, name, self._revision + 1, data, labels)
        event_type = ADDED if before is None else MODIFIED
        return self._change(event_type, kind, namespace, name, data, before, record)

    def remove(self, kind: str, namespace: str, name: str, data: bytes) -> Event:
        """Remove one object at the next revision; ``data`` is the last state that watchers see."""
        before = self.get(kind, namespace, name)
        if before is None:
            raise KeyError((kind, namespace, name))
        return self._change(DELETED, kind, namespace, name, data, before, None)

    def events(self, since: int, kinds: Collection[str] | None = None) -> list[Event]:
        """Changes after a revision, in order; raises ``Expired`` when the log no longer reaches back that far."""
        oldest = self._revision - len(self._log)
        if since < oldest:
            raise Expired(f"too old resource version: {since} ({oldest})")
        found = self._log[since - oldest :]
        return found if kinds is None else [event for event in found if event.kind in kinds]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo the writes within when an exception leaves the block; within another, only those of the inner one."""
        outermost = self._undo is None
        undo = self._undo = [] if self._undo is None else self._undo
        revision, mark = self._revision, len(undo)
        try:
            yield
        except BaseException:
            for kind, namespace, name, before in reversed(undo[mark:]):
                self._index.place(kind, namespace, name, before)
            del undo[mark:]
            del self._log[len(self._log) - (self._revision - revision) :]
            self._revision = revision
            raise
        finally:
            if outermost:
                self._undo = None
        if outermost and self._revision > revision:
            self._finish()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after each final write or transaction; the answer unsubscribes."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    async def flush(self, revision: int | None = None) -> None:
        """Nothing here survives, so there is nothing to wait for."""

    def _change(
        self, type_: str, kind: str, namespace: str, name: str, data: bytes, before: Record | None, after: Record | None
    ) -> Event:
        self._revision += 1
        self._index.place(kind, namespace, name, after)
        event = Event(type_, kind, namespace, name, self._revision, data, before.data if before else None)
        self._log.append(event)
        if self._undo is None:
            self._finish()
        else:
            self._undo.append((kind, namespace, name, before))
        return event

    def _finish(self) -> None:
        if len(self._log) > 2 * self._log_limit:
            # Trimming half at a time keeps the cost of a write constant on average.
            del self._log[: len(self._log) - self._log_limit]
        for callback in tuple(self._subscribers):
            callback()
