"""Watches: an iterator over the changes of a store, as the lines that a client reads.

In: the store, a kind, options.  Out: at each call the lines that are due, as bytes; never waits.
Called by the router; ``serve`` calls ``next_lines`` whenever the store has changed and the client has read.
Specification: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
A watch holds a version, not a queue: a slow reader costs nothing but the log, and falls out of it with 410.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from switchboard.api import selectors
from switchboard.api.errors import ApiError, Expired
from switchboard.api.server import answers, content, reads
from switchboard.api.server.answers import META_V1, Shown
from switchboard.api.server.content import PARTIAL, TABLE
from switchboard.api.server.options import ListOptions
from switchboard.api.server.tables import rows_of, table
from switchboard.api.server.versions import as_version
from switchboard.api.storage import ADDED, DELETED, MODIFIED, Event, decode
from switchboard.api.store import Store
from switchboard.k8s import names
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object, labels

BATCH: Final = 256 * 1024
_LINE: Final = b'{"type":"%s","object":%s}\n'


class Watch:
    """One watch of one client.

    ``timeout`` is in seconds, 0 for the server's own; ``ended`` turns true after an error line.
    """

    def __init__(self, store: Store, kind: Kind, namespace: str | None, options: ListOptions, shown: Shown) -> None:
        self._store = store
        self._kind = kind
        self._namespace = namespace
        self._shown = shown
        self._labels, self._fields = reads.selection(options, kind)
        self._bookmarks = options.bookmarks
        self._defined = False
        self.timeout = options.timeout
        self.ended = False
        version = reads.version_of(options.resource_version)
        self._initial: Iterator[bytes] | None = None
        if options.initial_events or (version == 0 and options.initial_events is not False):
            reads.require_reached(store, version)
            records = list(store.records(kind.key, namespace, self._labels, self._fields))
            self._version = store.resource_version
            self._initial = self._begin([r.data for r in records], mark=options.initial_events is True)
        else:
            self._version = version or store.resource_version

    @property
    def content_type(self) -> str:
        """The media type of the stream."""
        return content.JSON

    def next_lines(self) -> bytes:
        """The lines that are due now, about ``BATCH`` bytes at most; empty when there is nothing new."""
        found: list[bytes] = []
        size = 0
        while self._initial is not None and size < BATCH:
            line = next(self._initial, None)
            if line is None:
                self._initial = None
            else:
                found.append(line)
                size += len(line)
        if self._initial is None and size < BATCH:
            found += self._changes(BATCH - size)
        return b"".join(found)

    def bookmark(self) -> bytes:
        """A line that tells the present version to a client that asked for such lines; empty otherwise."""
        if not self._bookmarks or self.ended or self._initial is not None:
            return b""
        return self._mark({})

    def _begin(self, data: list[bytes], *, mark: bool) -> Iterator[bytes]:
        for item in data:
            yield self._line(ADDED, item)
        if mark and self._bookmarks:
            yield self._mark({"annotations": {names.INITIAL_EVENTS_END: "true"}})

    def _mark(self, more: Object) -> bytes:
        meta = {"resourceVersion": str(self._version), **more}
        obj: Object = {"kind": self._kind.kind, "apiVersion": self._kind.api_version, "metadata": meta}
        if self._shown.form.as_ == PARTIAL:
            obj = {"kind": PARTIAL, "apiVersion": META_V1, "metadata": meta}
        if self._shown.form.as_ == TABLE:
            row = {"cells": [None for _ in self._shown.columns], "object": answers.partial(obj)}
            obj = {**table(self._shown.columns, [row], definitions=not self._defined), "metadata": meta}
            self._defined = True
        return _LINE % (b"BOOKMARK", msgspec.json.encode(obj))

    def _changes(self, room: int) -> list[bytes]:
        if self.ended or self._version >= self._store.settled_version:
            return []
        try:
            events = self._store.events(self._version, [self._kind.key])
        except Expired as error:
            return [self.fail(error)]
        found: list[bytes] = []
        for event in events:
            if self._namespace is None or event.namespace == self._namespace:
                line = self._event(event)
                if line:
                    found.append(line)
                    room -= len(line)
            self._version = event.resource_version
            if room <= 0:
                return found
        self._version = max(self._version, self._store.settled_version)
        return found

    def fail(self, error: ApiError) -> bytes:
        """The last line of a watch that cannot go on."""
        self.ended = True
        return _LINE % (b"ERROR", msgspec.json.encode(error.status()))

    def _event(self, event: Event) -> bytes:
        if not self._labels and not self._fields:
            return self._line(event.type, event.data)
        matches = event.type != DELETED and self._matches(event.data)
        matched = event.previous is not None and self._matches(event.previous)
        if matches:
            return self._line(MODIFIED if matched else ADDED, event.data)
        if not matched:
            return b""
        if event.type == DELETED:
            return self._line(DELETED, event.data)
        # It left the selection: what was there before, at the version of the change.
        before = decode(event.previous or b"{}")
        before["metadata"]["resourceVersion"] = str(event.resource_version)
        return self._line(DELETED, msgspec.json.encode(before))

    def _matches(self, data: bytes) -> bool:
        obj = decode(data)
        return (not self._labels or selectors.matches(self._labels, labels(obj))) and (
            not self._fields or selectors.matches_fields(self._fields, obj)
        )

    def _line(self, type_: str, data: bytes) -> bytes:
        form = self._shown.form.as_
        if not form:
            return _LINE % (type_.encode(), answers.stored_as(data, self._kind))
        obj = as_version(decode(data), self._kind)
        if form == PARTIAL:
            return _LINE % (type_.encode(), msgspec.json.encode(answers.partial(obj)))
        rows = rows_of(self._shown.columns, [obj], self._shown.now, self._shown.include)
        shown = table(self._shown.columns, rows, definitions=not self._defined)
        self._defined = True
        return _LINE % (type_.encode(), msgspec.json.encode(shown))
