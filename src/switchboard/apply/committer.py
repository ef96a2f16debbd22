"""The thread that brings batches of changes to the disk, as many in one transaction as have come together meanwhile.

In: batches, from the thread of the storage.  Out: outcomes in order, for the same thread to fetch.
Called by ``apply.sqlite_storage``.
The slower the disk, the more writes share one fsync; nobody waits for a timer.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from switchboard.apply.sqlite_file import Row, SqliteFile


class Batch(NamedTuple):
    """One or more transactions; ``epoch`` counts failures, so that what was built upon a failed write fails too."""

    epoch: int
    rows: list[Row]
    forget: list[int]
    compacted: int


class Outcome(NamedTuple):
    """Up to ``revision`` all is on the disk, or (with an error) nothing of the epoch from its batch on."""

    epoch: int
    revision: int
    error: sqlite3.Error | None


class Committer:
    """A writer thread.

    Args:
        file: taken over until ``stop`` has returned.
        notify: called in the writer's thread when there are new outcomes.
    """

    def __init__(self, file: SqliteFile, notify: Callable[[], None]) -> None:
        self._file = file
        self._notify = notify
        self._batches: deque[Batch] = deque()
        self._outcomes: deque[Outcome] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="storage", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> None:
        """Queue a batch; its outcome follows."""
        with self._wake:
            self._batches.append(batch)
            self._wake.notify()

    def outcomes(self) -> list[Outcome]:
        """What has ended since the last call."""
        found = []
        while self._outcomes:
            found.append(self._outcomes.popleft())
        return found

    def stop(self) -> None:
        """Write what is queued, then end the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        failed = -1
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._batches or self._stopping)
                if not self._batches:
                    return
                batches = list(self._batches)
                self._batches.clear()
            batches = [batch for batch in batches if batch.epoch > failed]
            if not batches:
                continue
            outcome = self._commit(batches)
            if outcome.error is not None:
                failed = outcome.epoch
            self._outcomes.append(outcome)
            self._notify()
            self._file.merge()

    def _commit(self, batches: list[Batch]) -> Outcome:
        rows = [row for batch in batches for row in batch.rows]
        forget = [revision for batch in batches for revision in batch.forget]
        last = batches[-1]
        try:
            self._file.commit(rows, forget, last.compacted)
        except sqlite3.Error as error:
            return Outcome(last.epoch, 0, error)
        return Outcome(last.epoch, rows[-1].revision, None)
