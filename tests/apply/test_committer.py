import sqlite3
import threading

import pytest

from switchboard.apply.committer import Batch, Committer
from switchboard.apply.sqlite_file import Row


class SlowFile:
    """Commits when told, and fails when told; counts what came together."""

    def __init__(self):
        self.commits = []
        self.may = threading.Semaphore(0)
        self.began = threading.Semaphore(0)
        self.fail = False

    def commit(self, rows, forget, compacted):
        self.began.release()
        assert self.may.acquire(timeout=10)
        if self.fail:
            raise sqlite3.OperationalError("database or disk is full")
        self.commits.append(([r.revision for r in rows], list(forget), compacted))

    def merge(self):
        pass


def batch(revision, epoch=0):
    return Batch(epoch, [Row(revision, "ADDED", 0, "K", "", "x", b"", b"")], [revision - 1], revision)


@pytest.fixture
def file():
    return SlowFile()


@pytest.fixture
def committer(file):
    made = Committer(file, lambda: None)
    yield made
    file.may.release(100)
    made.stop()


def test_what_comes_during_a_commit_shares_the_next_one(file, committer):
    committer.submit(batch(1))
    assert file.began.acquire(timeout=10)
    for revision in range(2, 10):
        committer.submit(batch(revision))
    file.may.release(2)
    assert file.began.acquire(timeout=10)
    committer.stop()
    assert file.commits == [([1], [0], 1), (list(range(2, 10)), list(range(1, 9)), 9)]
    assert [(o.revision, o.error) for o in committer.outcomes()] == [(1, None), (9, None)]
    assert committer.outcomes() == []


def test_what_was_built_on_a_failure_is_not_written(file, committer):
    file.fail = True
    committer.submit(batch(1))
    assert file.began.acquire(timeout=10)
    committer.submit(batch(2))
    file.may.release()
    committer.submit(batch(3, epoch=1))
    assert file.began.acquire(timeout=10)
    file.fail = False
    file.may.release()
    committer.stop()
    assert [revisions for revisions, _, _ in file.commits] == [[3]]
    assert [(o.epoch, type(o.error)) for o in committer.outcomes()] == [(0, sqlite3.OperationalError), (1, type(None))]


def test_stopping_writes_what_is_queued(file, committer):
    for revision in range(1, 6):
        committer.submit(batch(revision))
    file.may.release(5)
    committer.stop()
    assert [r for revisions, _, _ in file.commits for r in revisions] == [1, 2, 3, 4, 5]
