"""The durable storage: reads from memory, writes to a SQLite file, shows changes to watchers once they are on the disk.

In: serialised objects from ``api.store``, on one thread.  Out: records and events, as ``api.storage.Storage`` says.
Constructed by ``run``; the HTTP server calls ``flush`` before it answers a request.
Specification: https://etcd.io/docs/v3.6/learning/api_guarantees/ is the promise to keep: what is answered is durable.

A write takes effect in memory at once, so that the next write sees it; the disk follows, at the end of the
transaction or, after ``pipeline``, in a thread of its own where many writes share one fsync.
When the disk refuses, everything from that write on is withdrawn: memory returns to what is on the disk,
its revisions are never given out again, and whoever waits in ``flush`` is refused.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from asyncio import Future, get_running_loop
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from switchboard.api.errors import Expired, InternalError
from switchboard.api.storage import ADDED, DELETED, MODIFIED, Event, Index, Record
from switchboard.apply.committer import Batch, Committer
from switchboard.apply.sqlite_file import Row, SqliteFile

# Rows forgotten with one commit at most, so that none waits long for compaction.
_FORGET = 1000
_NO_LABELS: Mapping[str, str] = {}


class History(NamedTuple):
    """How much of the past watchers may ask for; the first bound that is reached counts.

    kube-apiserver compacts every five minutes, which is the default age.
    """

    changes: int = 50_000
    seconds: int = 300
    bytes: int = 64 * 2**20


class _Change(NamedTuple):
    """One entry of the log: the event, what the place held before, and when it happened."""

    event: Event
    before: Record | None
    at: int


def _revision(change: _Change) -> int:
    return change.event.resource_version


class SqliteStorage:
    """A storage in a file; raises ``MachineError`` for a file that cannot be used (see ``SqliteFile``).

    Args:
        path: the database; made when it is not there. SQLite keeps its log beside it (``-wal``).
        history: how long changes are remembered.
        clock: seconds since 1970.
    """

    def __init__(self, path: Path, history: History | None = None, clock: Callable[[], float] = time.time) -> None:
        self._history = history or History()
        self._clock = clock
        self._index = Index()
        self._log: list[_Change] = []
        self._first = 0  # index in the log of the oldest change not forgotten; the list is cut now and then
        self._log_bytes = 0
        self._submitted = 0  # index in the log behind the last change that is on its way to the disk
        self._needless: list[int] = []
        self._depth = 0
        self._epoch = 0
        self._withdrawn: list[tuple[int, int, sqlite3.Error]] = []
        self._waiting: list[tuple[int, Future[None]]] = []
        self._subscribers: list[Callable[[], None]] = []
        self._committer: Committer | None = None
        self._file = SqliteFile(path)
        try:
            self._load()
        except BaseException:
            self._file.abandon()
            raise

    def _load(self) -> None:
        self._revision, self._compacted = self._file.resume()
        self._durable = self._revision
        place, get, intern = self._index.place, self._index.get, sys.intern
        for row in self._file.rows():
            revision, type_, at, kind, namespace, name, labels, data = row
            kind, namespace = intern(kind), intern(namespace)
            before, after = get(kind, namespace, name), None
            if type_ != DELETED:
                kept = _NO_LABELS if labels == b"{}" else msgspec.json.decode(labels)
                after = Record(kind, namespace, name, revision, data, kept)
            place(kind, namespace, name, after)
            if revision > self._compacted:
                event = Event(type_, kind, namespace, name, revision, data, before.data if before else None)
                self._log.append(_Change(event, before, at))
                self._log_bytes += len(data)
            else:
                # What a failed commit was to forget is forgotten with the next one.
                self._needless += _needless(before, type_, revision)
        self._submitted = len(self._log)

    @property
    def revision(self) -> int:
        """The revision of the latest change, on the disk or on its way there."""
        return self._revision

    @property
    def settled(self) -> int:
        """The revision up to which everything is on the disk, and told by ``events``."""
        return self._durable

    def get(self, kind: str, namespace: str, name: str) -> Record | None:
        """One record, None when it is not there."""
        return self._index.get(kind, namespace, name)

    def scan(self, kind: str, namespace: str | None = None) -> Iterator[Record]:
        """All records of a kind, or those of one namespace, ordered by namespace and name."""
        return self._index.scan(kind, namespace)

    def put(self, kind: str, namespace: str, name: str, data: bytes, labels: Mapping[str, str]) -> Event:
        """Write one object at the next revision; outside of a transaction raises ``InternalError``, undone."""
        before = self.get(kind, namespace, name)
        record = Record(kind, namespace, name, self._revision + 1, data, labels)
        return self._change(ADDED if before is None else MODIFIED, record, before)

    def remove(self, kind: str, namespace: str, name: str, data: bytes) -> Event:
        """Remove one object at the next revision; ``data`` is the last state that watchers see."""
        before = self.get(kind, namespace, name)
        if before is None:
            raise KeyError((kind, namespace, name))
        return self._change(DELETED, Record(kind, namespace, name, self._revision + 1, data, {}), before)

    def events(self, since: int, kinds: Collection[str] | None = None) -> list[Event]:
        """Durable changes after a revision, in order; raises ``Expired`` when the log no longer reaches back so far.

        A withdrawn revision is expired too: who has seen it must read anew.
        """
        if since < self._compacted or any(low < since <= high for low, high, _ in self._withdrawn):
            raise Expired(f"too old resource version: {since} ({self._compacted})")
        first = bisect_right(self._log, since, lo=self._first, key=_revision)
        last = bisect_right(self._log, self._durable, lo=first, key=_revision)
        found = (change.event for change in self._log[first:last])
        return list(found) if kinds is None else [event for event in found if event.kind in kinds]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo the writes within when an exception leaves the block; the outermost end brings them to the disk.

        Raises ``InternalError`` there when the disk refuses and there is no ``pipeline``.
        """
        revision, mark = self._revision, len(self._log)
        self._depth += 1
        try:
            yield
        except BaseException:
            self._undo(mark)
            self._revision = revision
            raise
        finally:
            self._depth -= 1
        if not self._depth and len(self._log) > mark:
            self._submit()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after changes became durable, and after a withdrawal; the answer unsubscribes."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def pipeline(self, schedule: Callable[[Callable[[], None]], object]) -> None:
        """From now on write in a thread of its own; ``schedule`` runs a call on the storage's thread.

        For an event loop that is ``loop.call_soon_threadsafe``.
        """

        def notify() -> None:
            try:
                schedule(self._settle)
            except RuntimeError:
                # The loop has ended before us; ``close`` settles.
                pass

        self._committer = Committer(self._file, notify)

    async def flush(self, revision: int | None = None) -> None:
        """Return when a revision (all up to now, when not given) is on the disk; writers give that of their write.

        Raises ``InternalError`` when the disk refused it. Concurrent calls share one fsync.
        """
        wanted = self._revision if revision is None else revision
        for low, high, error in self._withdrawn:
            if low < wanted <= high:
                raise _refused(error)
        if wanted > self._durable:
            future = get_running_loop().create_future()
            self._waiting.append((wanted, future))
            await future

    def close(self) -> None:
        """Bring everything to the disk and release the file."""
        if self._committer is not None:
            self._committer.stop()
            self._settle()
            self._committer = None
        self._file.close(self._revision)

    # Within

    def _change(self, type_: str, record: Record, before: Record | None) -> Event:
        kind, namespace, name = record.kind, record.namespace, record.name
        self._revision += 1
        self._index.place(kind, namespace, name, None if type_ == DELETED else record)
        previous = before.data if before else None
        event = Event(type_, kind, namespace, name, self._revision, record.data, previous)
        self._log.append(_Change(event, before, int(self._clock())))
        self._log_bytes += len(record.data)
        if not self._depth:
            self._submit()
        return event

    def _undo(self, mark: int) -> None:
        """Take back all changes of the log from an index on."""
        while len(self._log) > mark:
            event, before, _ = self._log.pop()
            self._index.place(event.kind, event.namespace, event.name, before)
            self._log_bytes -= len(event.data)

    def _submit(self) -> None:
        rows = [self._row(change) for change in self._log[self._submitted :]]
        self._submitted = len(self._log)
        batch = Batch(self._epoch, rows, self._compact(), self._compacted)
        if self._committer is not None:
            self._committer.submit(batch)
            return
        try:
            self._file.commit(batch.rows, batch.forget, batch.compacted)
        except sqlite3.Error as error:
            self._withdraw(error)
            raise _refused(error) from error
        self._file.merge()
        self._advance(self._revision)

    def _row(self, change: _Change) -> Row:
        event = change.event
        labels = b"{}"
        if event.type != DELETED:
            record = self._index.get(event.kind, event.namespace, event.name)
            if record is not None and record.revision == event.resource_version and record.labels:
                labels = msgspec.json.encode(record.labels)
        return Row(event.resource_version, event.type, change.at, event.kind, event.namespace, event.name, labels,
                   event.data)  # fmt: skip

    def _compact(self) -> list[int]:
        """Forget durable changes beyond the bounds of history; answers the rows that nothing needs any more."""
        rows, self._needless = self._needless[:_FORGET], self._needless[_FORGET:]
        oldest = int(self._clock()) - self._history.seconds
        while self._first < len(self._log) and len(rows) < _FORGET:
            event, before, at = self._log[self._first]
            kept = len(self._log) - self._first
            within = kept <= self._history.changes and self._log_bytes <= self._history.bytes and at >= oldest
            if within or event.resource_version > self._durable:
                break
            self._first += 1
            self._log_bytes -= len(event.data)
            self._compacted = event.resource_version
            rows += _needless(before, event.type, event.resource_version)
        return rows

    def _settle(self) -> None:
        """Take the outcomes of the writer's thread over; runs on the storage's thread."""
        committer = self._committer
        for epoch, revision, error in committer.outcomes() if committer is not None else ():
            if epoch != self._epoch:
                continue
            if error is None:
                self._advance(revision)
            else:
                self._withdraw(error)

    def _advance(self, revision: int) -> None:
        self._durable = revision
        waiting, self._waiting = self._waiting, []
        for wanted, future in waiting:
            if wanted > revision:
                self._waiting.append((wanted, future))
            elif not future.done():
                future.set_result(None)
        if self._first > 1000 and self._first > len(self._log) // 2 and not self._depth:
            # Cutting when half is forgotten keeps the cost of a write constant on average.
            del self._log[: self._first]
            self._submitted -= self._first
            self._first = 0
        self._tell()

    def _withdraw(self, error: sqlite3.Error) -> None:
        """Return to what is on the disk; revisions given out since then stay unused.

        One more is skipped, so that a reader of the state after the withdrawal differs from those who saw more.
        """
        self._epoch += 1
        self._undo(bisect_right(self._log, self._durable, lo=self._first, key=_revision))
        self._submitted = len(self._log)
        # Rows that were to be forgotten with the failed batch stay in the file until the next start forgets them.
        self._withdrawn = [*self._withdrawn[-63:], (self._durable, self._revision, error)]
        self._revision = self._durable = self._revision + 1
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            if not future.done():
                future.set_exception(_refused(error))
        self._tell()

    def _tell(self) -> None:
        for callback in tuple(self._subscribers):
            callback()


def _needless(before: Record | None, type_: str, revision: int) -> list[int]:
    """Forgetting a change makes the row of the state before it needless, and its own row where it is a deletion."""
    rows = [] if before is None else [before.revision]
    return [*rows, revision] if type_ == DELETED else rows


def _refused(error: sqlite3.Error) -> InternalError:
    if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
        return InternalError("the disk is full: nothing was written")
    return InternalError(f"the storage refused the write: {error}")
