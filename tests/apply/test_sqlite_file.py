import shutil
import sqlite3

import pytest

from switchboard.apply.sqlite_file import FORMAT, Row, SqliteFile, checksum
from switchboard.base.errors import MachineError


def row(revision, name="x", data=b"{}"):
    return Row(revision, "ADDED", 1, "K", "a", name, b"{}", data)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


def written(path, *rows):
    """A closed file with these rows."""
    file = SqliteFile(path)
    file.commit(list(rows), [], 0)
    file.close(rows[-1].revision)


def test_rows_come_back_in_order_with_the_state(path):
    file = SqliteFile(path)
    file.commit([row(1), row(2, "y")], [], 0)
    file.commit([row(7, "z")], [1], 4)
    file.close(9)
    file = SqliteFile(path)
    assert file.resume() == (9, 4)
    assert list(file.rows()) == [row(2, "y"), row(7, "z")]
    file.close(9)


def test_commits_reach_the_disk_before_they_return(path):
    file = SqliteFile(path)
    settings = [file._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert settings == ["wal", 2]  # 2 is FULL: https://www.sqlite.org/pragma.html#pragma_synchronous
    file.close(0)


def test_a_failed_commit_changes_nothing(path):
    file = SqliteFile(path)
    file.commit([row(1)], [], 0)
    with pytest.raises(sqlite3.IntegrityError):
        file.commit([row(2), row(1)], [], 0)
    assert [r.revision for r in file.rows()] == [1]
    file.close(1)


def test_a_large_log_is_merged_into_the_database(path):
    file = SqliteFile(path)
    log = path.with_name("state.db-wal")
    file.commit([row(1, data=bytes(5_000_000))], [], 0)
    assert log.stat().st_size > 5_000_000
    file.merge()
    assert log.stat().st_size == 0
    assert [r.revision for r in file.rows()] == [1]
    file.close(1)


def test_the_checksum_covers_every_column():
    changed = [row(1)._replace(**{name: value}) for name, value in [
        ("revision", 2), ("type", "MODIFIED"), ("at", 2), ("kind", "L"), ("namespace", "b"), ("name", "y"),
        ("labels", b"{ }"), ("data", b"[]"),
    ]]  # fmt: skip
    assert len({checksum(r) for r in (row(1), *changed)}) == 1 + len(Row._fields)


class TestAtStart:
    def read(self, path):
        file = SqliteFile(path)
        try:
            file.resume()
            list(file.rows())
        finally:
            file.abandon()

    def refused(self, path, reference):
        with pytest.raises(MachineError) as raised:
            self.read(path)
        assert raised.value.reference == reference
        assert str(path) in raised.value.message
        assert raised.value.hint
        return raised.value

    def test_an_open_file_is_refused(self, path):
        file = SqliteFile(path)
        self.refused(path, "storage-in-use")
        file.close(0)
        SqliteFile(path).close(0)

    def test_another_programs_database_is_left_alone(self, path):
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE t (x)")
        other.commit()
        other.close()
        self.refused(path, "storage-foreign")

    def test_a_newer_format_is_refused(self, path):
        written(path, row(1))
        other = sqlite3.connect(path)
        other.execute(f"PRAGMA user_version = {FORMAT + 1}")
        other.close()
        self.refused(path, "storage-newer")

    def test_a_directory_that_is_not_there(self, tmp_path):
        self.refused(tmp_path / "no" / "state.db", "storage-unusable")

    def test_a_damaged_header(self, path):
        written(path, row(1))
        path.write_bytes(b"garbage" * 10 + path.read_bytes()[70:])
        assert "-wal away" in self.refused(path, "storage-damaged").hint

    def test_a_lost_tail(self, path):
        written(path, *(row(n, data=bytes(3000)) for n in range(1, 50)))
        path.write_bytes(path.read_bytes()[: 20 * 4096])
        self.refused(path, "storage-damaged")

    def test_a_page_of_zeros(self, path):
        written(path, *(row(n, data=bytes(300)) for n in range(1, 200)))
        content = path.read_bytes()
        path.write_bytes(content[: 5 * 4096] + bytes(4096) + content[6 * 4096 :])
        self.refused(path, "storage-damaged")

    def test_one_changed_byte_in_an_object_names_it(self, path):
        written(path, row(1, "kept"), row(2, "hit", b'{"replicas":3}'))
        path.write_bytes(path.read_bytes().replace(b'{"replicas":3}', b'{"replicas":8}'))
        assert "K a/hit at 2" in self.refused(path, "storage-damaged").context

    def test_a_missing_row(self, path):
        written(path, row(1), row(2))
        other = sqlite3.connect(path)
        other.execute("DELETE FROM changes WHERE revision = 1")
        other.commit()
        other.close()
        assert "1 of 2" in self.refused(path, "storage-damaged").context

    def test_an_emptied_database_does_not_lose_its_log_in_silence(self, path, tmp_path):
        file = SqliteFile(path)
        file.commit([row(1)], [], 0)
        (tmp_path / "copy").mkdir()
        for name in ("state.db", "state.db-wal"):
            shutil.copy(tmp_path / name, tmp_path / "copy" / name)
        file.close(1)
        damaged = tmp_path / "copy" / "state.db"
        damaged.write_bytes(b"")
        self.refused(damaged, "storage-damaged")
        assert damaged.with_name("state.db-wal").stat().st_size
