"""The file of the durable storage: rows of changes in a SQLite database, appended and forgotten in transactions.

In: a path, rows to append and revisions to forget.  Out: the rows at start; ``MachineError`` for a file that cannot
be used, ``sqlite3.Error`` for a commit that did not happen.
Called by ``apply.sqlite_storage`` and ``apply.committer``, by one thread at a time.
Specification: https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous

One table holds both the objects and the history of changes: the latest row of a name is the object,
a row above ``compacted`` is also a change that watchers may still ask for.
A write is therefore one insertion at the end of one tree, and the table needs no index: lookups happen in memory.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from switchboard.base.errors import MachineError

APPLICATION: Final = 0x53574244  # "SWBD" in the file's header
FORMAT: Final = 1
# What accumulates in the write-ahead log before it is copied into the database, in bytes.
CHECKPOINT: Final = 4 * 2**20
# Revisions that a run may have shown without any trace on the disk (withdrawn ones); skipped after an unclean end.
SKIPPED: Final = 100_000
_SCHEMA: Final = (
    "CREATE TABLE changes (revision INTEGER PRIMARY KEY, type TEXT NOT NULL, at INTEGER NOT NULL,"
    " kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, labels BLOB NOT NULL, data BLOB NOT NULL,"
    " checksum INTEGER NOT NULL)",
    "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 0), revision INTEGER NOT NULL, compacted INTEGER NOT NULL,"
    " number INTEGER NOT NULL, clean INTEGER NOT NULL)",
    "INSERT INTO state VALUES (0, 0, 0, 0, 1)",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {FORMAT}",
)


class Row(NamedTuple):
    """One change: ``at`` in seconds since 1970, ``labels`` and ``data`` as JSON."""

    revision: int
    type: str
    at: int
    kind: str
    namespace: str
    name: str
    labels: bytes
    data: bytes


def checksum(row: Row) -> int:
    """CRC-32 over all columns."""
    place = f"{row.revision}\0{row.type}\0{row.at}\0{row.kind}\0{row.namespace}\0{row.name}\0".encode()
    return zlib.crc32(row.data, zlib.crc32(row.labels, zlib.crc32(place)))


class SqliteFile:
    """An open file, locked against every other process until it is closed.

    Raises ``MachineError``: ``storage-damaged``, ``storage-foreign``, ``storage-newer``, ``storage-in-use``,
    ``storage-unusable``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unmerged = 0
        self._refuse_lost_database()
        new = not path.exists()
        try:
            # Autocommit: transactions are begun and ended by us. The committer's thread takes the connection over.
            self._db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        try:
            self._open()
        except sqlite3.Error as error:
            self._db.close()
            raise self._unusable(error) from error
        except BaseException:
            self._db.close()
            raise
        if new:
            _sync_directory(path.parent)

    def _open(self) -> None:
        # Exclusive locking needs no shared-memory file and refuses a second process from the first statement on.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        # FULL: a commit returns after the log is on the disk, so what is acknowledged survives a power loss.
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA wal_autocheckpoint = 0")
        self._db.execute(f"PRAGMA journal_size_limit = {4 * CHECKPOINT}")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._check_format()
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        faults = [text for (text,) in self._db.execute("PRAGMA quick_check(3)")]
        if faults != ["ok"]:
            raise self._damaged("; ".join(faults))

    def _check_format(self) -> None:
        application, version = self._number("PRAGMA application_id"), self._number("PRAGMA user_version")
        if application == 0 and self._number("SELECT count(*) FROM sqlite_master") == 0:
            for statement in _SCHEMA:
                self._db.execute(statement)
        elif application != APPLICATION:
            hint = "Choose another data directory."
            raise MachineError("storage-foreign", f"{self.path} belongs to another program.", hint=hint)
        elif version > FORMAT:
            message = f"{self.path} has format {version}, and this version knows up to {FORMAT}."
            raise MachineError("storage-newer", message, hint="Start the newer version that wrote it.")

    def resume(self) -> tuple[int, int]:
        """The revision to continue from, and the one up to which changes are forgotten; marks the file as in use."""
        revision, compacted, clean = self._db.execute("SELECT revision, compacted, clean FROM state").fetchone()
        try:
            self._db.execute("UPDATE state SET clean = 0")
        except sqlite3.Error:
            # A full disk: the objects can still be read, and the mark follows with the first write that succeeds.
            pass
        return revision if clean else revision + SKIPPED, compacted

    def rows(self) -> Iterator[Row]:
        """All rows in order of revision; raises ``MachineError`` at the first damaged one and for a wrong number."""
        number = 0
        try:
            for *columns, stored in self._db.execute("SELECT * FROM changes ORDER BY revision"):
                row = Row(*columns)
                if checksum(row) != stored:
                    raise self._damaged(f"checksum of {row.kind} {row.namespace}/{row.name} at {row.revision}")
                number += 1
                yield row
        except (sqlite3.Error, TypeError, AttributeError) as error:
            raise self._damaged(str(error)) from error
        expected = self._number("SELECT number FROM state")
        if number != expected:
            raise self._damaged(f"{number} of {expected} changes are there")

    def commit(self, rows: list[Row], forget: Iterable[int], compacted: int) -> None:
        """Append and forget in one transaction that is on the disk at the return; raises ``sqlite3.Error``, undone."""
        gone = [(revision,) for revision in forget]
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(
                "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [(*row, checksum(row)) for row in rows]
            )
            deleted = self._db.executemany("DELETE FROM changes WHERE revision = ?", gone).rowcount if gone else 0
            self._db.execute(
                "UPDATE state SET revision = max(revision, ?), compacted = ?, number = number + ?, clean = 0",
                (rows[-1].revision if rows else 0, compacted, len(rows) - deleted),
            )
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._unmerged += sum(len(row.data) + 256 for row in rows) + 64 * len(gone)

    def merge(self) -> None:
        """Copy the write-ahead log into the database when it has grown; a failure costs nothing but its length."""
        if self._unmerged < CHECKPOINT:
            return
        try:
            busy, _, _ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error:
            return
        if not busy:
            self._unmerged = 0

    def close(self, revision: int) -> None:
        """Note the latest revision, merge what is left and unlock."""
        try:
            self._db.execute("UPDATE state SET revision = max(revision, ?), clean = 1", (revision,))
        except sqlite3.Error:
            # The next start skips revisions as after a crash.
            pass
        self._db.close()

    def abandon(self) -> None:
        """Unlock without a word, after a failed start."""
        self._db.close()

    def _number(self, query: str) -> int:
        (number,) = self._db.execute(query).fetchone()
        return int(number)

    def _refuse_lost_database(self) -> None:
        """SQLite throws a log away whose database is empty; for us that would be the loss of all objects in silence."""
        log = self.path.with_name(self.path.name + "-wal")
        empty = not self.path.exists() or self.path.stat().st_size == 0
        if empty and log.exists() and log.stat().st_size:
            raise self._damaged("the database is empty, its write-ahead log is not")

    def _damaged(self, why: str) -> MachineError:
        hint = (
            f"Restore {self.path} from a copy, or move it and {self.path.name}-wal away to start with an empty cluster."
        )
        return MachineError("storage-damaged", f"{self.path} is damaged.", context=why, hint=hint)

    def _unusable(self, error: sqlite3.Error) -> MachineError:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            hint = "Stop it, or choose another data directory."
            return MachineError("storage-in-use", f"Another process has {self.path} open.", hint=hint)
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_IOERR_SHORT_READ")):
            return self._damaged(str(error))
        hint = "Check that the directory exists, that you may write there, and that the disk has space."
        return MachineError("storage-unusable", f"{self.path} cannot be opened: {error}.", hint=hint)


def _sync_directory(directory: Path) -> None:
    """A new name in a directory is durable only after the directory itself is on the disk."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
