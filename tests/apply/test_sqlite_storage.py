import asyncio
import shutil
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchboard.api.errors import Expired, InternalError
from switchboard.api.storage import ADDED, DELETED, MODIFIED, MemoryStorage
from switchboard.apply.sqlite_file import SKIPPED
from switchboard.apply.sqlite_storage import History, SqliteStorage


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class AbortError(Exception):
    pass


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def opened(tmp_path, clock):
    """Opens the same file again and again; the last one is closed at the end."""
    last = []

    def open_(**options):
        if last:
            last.pop().close()
        last.append(SqliteStorage(tmp_path / "state.db", clock=clock, **options))
        return last[0]

    yield open_
    if last:
        last.pop().close()


def put(storage, name, data=b"1", namespace="a", labels=None):
    return storage.put("K", namespace, name, data, labels or {})


def remove(storage, name, data=b"last"):
    return storage.remove("K", "a", name, data)


def abort(storage, *names):
    """A transaction that writes and then fails."""
    try:
        with storage.transaction():
            for name in names:
                put(storage, name, b"2")
            raise AbortError
    except AbortError:
        return


def seen(storage, since=0):
    return [(e.type, e.name, e.resource_version, e.data, e.previous) for e in storage.events(since)]


def contents(storage):
    return [(r.namespace, r.name, r.revision, r.data, dict(r.labels)) for r in storage.scan("K")]


class Refusing:
    """Stands between the storage and its file: the disk is full while ``full`` is set."""

    def __init__(self, storage):
        self._file = storage._file
        self.full = False
        storage._file = self

    def commit(self, *arguments):
        if self.full:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise error
        self._file.commit(*arguments)

    def __getattr__(self, name):
        return getattr(self._file, name)


class TestReopened:
    def test_objects_labels_revisions_and_history_are_as_before(self, opened):
        storage = opened()
        put(storage, "x", labels={"app": "a"})
        put(storage, "y")
        put(storage, "x", b"2", labels={"app": "b"})
        remove(storage, "y")
        before = (contents(storage), seen(storage), storage.revision)
        storage = opened()
        assert (contents(storage), seen(storage), storage.revision) == before
        assert before[0] == [("a", "x", 3, b"2", {"app": "b"})]
        assert [e[0] for e in before[1]] == [ADDED, ADDED, MODIFIED, DELETED]
        assert put(storage, "z").resource_version == 5

    def test_an_undone_transaction_leaves_no_trace(self, opened):
        storage = opened()
        put(storage, "x")
        abort(storage, "x", "y")
        with storage.transaction():
            put(storage, "kept")
            abort(storage, "lost")
            put(storage, "too")
        before = (contents(storage), seen(storage), storage.revision)
        assert [c[1:3] for c in before[0]] == [("kept", 2), ("too", 3), ("x", 1)]
        storage = opened()
        assert (contents(storage), seen(storage), storage.revision) == before

    def test_after_a_crash_revisions_are_skipped_never_given_twice(self, tmp_path, opened, clock):
        storage = opened()
        put(storage, "x")
        crashed = copied(tmp_path, "crashed")
        again = SqliteStorage(crashed, clock=clock)
        assert contents(again) == contents(storage)
        assert again.revision == 1 + SKIPPED
        assert put(again, "y").resource_version == 2 + SKIPPED
        assert [e.name for e in again.events(0)] == ["x", "y"]
        again.close()


def copied(tmp_path, name, wal=None):
    """The files as a crash at this moment would leave them, with another tail of the log when given."""
    target = tmp_path / name
    target.mkdir()
    shutil.copy(tmp_path / "state.db", target / "state.db")
    content = (tmp_path / "state.db-wal").read_bytes()
    (target / "state.db-wal").write_bytes(content if wal is None else wal(content))
    return target / "state.db"


@pytest.mark.parametrize("kept", range(0, 100, 7))
@pytest.mark.parametrize("tail", [b"", b"\0" * 5000, b"\xff" * 5000])
def test_a_torn_log_gives_a_state_that_has_been(tmp_path, opened, kept, tail):
    storage = opened()
    for number in range(20):
        with storage.transaction():
            put(storage, f"left-{number}")
            put(storage, f"right-{number}")
    path = copied(tmp_path, "torn", lambda content: content[: len(content) * kept // 100] + tail)
    torn = SqliteStorage(path)
    names = [e.name for e in torn.events(0)]
    assert names == [f"{side}-{number}" for number in range(len(names) // 2) for side in ("left", "right")]
    torn.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from(["put", "remove", "abort", "open"])),
                      max_size=25))  # fmt: skip
def test_it_is_the_storage_in_memory_made_durable(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("same") / "state.db"
    durable, memory = SqliteStorage(path), MemoryStorage()
    for number, (name, what) in enumerate(steps):
        if what == "open":
            durable.close()
            durable = SqliteStorage(path)
            continue
        for storage in (durable, memory):
            try:
                with storage.transaction():
                    if what == "remove" and storage.get("K", "a", name):
                        remove(storage, name, b"%d" % number)
                    else:
                        put(storage, name, b"%d" % number, labels={"n": name})
                    if what == "abort":
                        raise AbortError
            except AbortError:
                pass
    assert contents(durable) == contents(memory)
    assert seen(durable) == seen(memory)
    assert durable.revision == memory.revision
    durable.close()


class TestHistory:
    def test_old_changes_are_forgotten_and_objects_stay(self, opened, clock):
        storage = opened(history=History(seconds=300))
        put(storage, "x")
        put(storage, "x", b"2")
        put(storage, "gone")
        remove(storage, "gone")
        clock.now += 301
        put(storage, "y")
        with pytest.raises(Expired):
            storage.events(3)
        assert [e.name for e in storage.events(4)] == ["y"]
        storage = opened()
        assert [c[1:4] for c in contents(storage)] == [("x", 2, b"2"), ("y", 5, b"1")]
        assert storage._file._number("SELECT count(*) FROM changes") == 2
        with pytest.raises(Expired):
            storage.events(3)

    def test_a_change_after_compaction_knows_the_state_before(self, opened, clock):
        storage = opened()
        put(storage, "x")
        clock.now += 301
        put(storage, "x", b"2")
        clock.now += 301
        put(storage, "x", b"3")
        assert seen(opened(), 2) == [(MODIFIED, "x", 3, b"3", b"2")]

    @pytest.mark.parametrize("bound", [{"changes": 10}, {"bytes": 100}])
    def test_number_and_size_are_bounded(self, opened, bound):
        storage = opened(history=History(**bound))
        for _ in range(3000):
            put(storage, "x", b"0123456789")
        assert len(storage.events(storage.revision - 9)) == 9
        with pytest.raises(Expired):
            storage.events(storage.revision - 12)
        assert storage._file._number("SELECT count(*) FROM changes") <= 12
        assert len(storage._log) < 2500
        assert [c[2] for c in contents(opened())] == [3000]


class TestFullDisk:
    def test_a_write_is_refused_and_undone_and_reads_go_on(self, opened):
        storage = opened()
        put(storage, "x")
        disk = Refusing(storage)
        disk.full = True
        with pytest.raises(InternalError, match="disk is full"):
            put(storage, "x", b"2")
        with pytest.raises(InternalError), storage.transaction():
            put(storage, "y")
        assert [c[1:4] for c in contents(storage)] == [("x", 1, b"1")]
        disk.full = False
        put(storage, "z")
        before = contents(storage)
        assert [c[1] for c in before] == ["x", "z"]
        assert contents(opened()) == before

    def test_who_saw_a_withdrawn_revision_reads_anew(self, opened):
        storage = opened()
        put(storage, "x")
        disk = Refusing(storage)
        disk.full = True
        with pytest.raises(InternalError):
            put(storage, "y")
        disk.full = False
        with pytest.raises(Expired):
            storage.events(2)
        now = storage.revision
        put(storage, "z")
        assert [e.name for e in storage.events(now)] == ["z"]
        assert [e.name for e in storage.events(0)] == ["x", "z"]

    def test_rows_to_forget_with_a_failed_write_are_forgotten_later(self, opened, clock):
        storage = opened()
        put(storage, "x")
        put(storage, "x", b"2")
        clock.now += 301
        disk = Refusing(storage)
        disk.full = True
        with pytest.raises(InternalError):
            put(storage, "y")
        disk.full = False
        put(storage, "y")
        storage = opened()
        put(storage, "z")
        assert storage._file._number("SELECT count(*) FROM changes") == 3


class TestPipeline:
    def run(self, opened, scenario):
        async def main():
            storage = opened()
            storage.pipeline(asyncio.get_running_loop().call_soon_threadsafe)
            await asyncio.wait_for(scenario(storage), 30)

        asyncio.run(main())

    def test_watchers_hear_of_a_write_when_it_is_durable(self, opened):
        async def scenario(storage):
            heard = []
            storage.subscribe(lambda: heard.append([e.name for e in storage.events(0)]))
            put(storage, "x")
            assert storage.get("K", "a", "x").data == b"1"
            assert (heard, storage.events(0), storage.settled) == ([], [], 0)
            await storage.flush()
            assert (heard, storage.settled) == ([["x"]], 1)

        self.run(opened, scenario)
        assert [c[1] for c in contents(opened())] == ["x"]

    def test_concurrent_writes_share_commits(self, opened):
        async def scenario(storage):
            commits = []
            inner = storage._file.commit

            def commit(rows, *rest):
                commits.append(len(rows))
                inner(rows, *rest)

            storage._file.commit = commit

            async def write(number):
                revision = put(storage, str(number)).resource_version
                await storage.flush(revision)
                assert storage.settled >= revision

            await asyncio.gather(*(write(number) for number in range(200)))
            assert sum(commits) == 200
            assert len(commits) < 50

        self.run(opened, scenario)
        assert len(contents(opened())) == 200

    def test_a_refusal_withdraws_all_that_followed(self, opened):
        async def scenario(storage):
            put(storage, "x")
            await storage.flush()
            disk = Refusing(storage)
            storage._committer._file = disk
            disk.full = True
            first = put(storage, "x", b"2").resource_version
            second = put(storage, "y").resource_version
            results = await asyncio.gather(storage.flush(first), storage.flush(second), return_exceptions=True)
            assert [type(r) for r in results] == [InternalError, InternalError]
            assert [c[1:4] for c in contents(storage)] == [("x", 1, b"1")]
            with pytest.raises(InternalError):
                await storage.flush(second)
            await storage.flush()  # a reader does not wait for what is gone
            disk.full = False
            await storage.flush(put(storage, "z").resource_version)

        self.run(opened, scenario)
        assert [c[1] for c in contents(opened())] == ["x", "z"]

    def test_closing_writes_what_is_queued(self, opened):
        async def scenario(storage):
            for number in range(50):
                put(storage, str(number))

        self.run(opened, scenario)
        assert len(contents(opened())) == 50
