"""Logs: what is told of a file by time, number and size, what comes later, and over rotation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.api.server.pod_requests import LogOptions
from switchboard.serve.pod_log import LONGEST, LineReader, LogFile, Printer, moment_of

BORN = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
NOW = datetime(2026, 5, 1, 12, 1, tzinfo=UTC)
ENVOY = '{"time":"2026-05-01T12:00:30.000Z","status":200}'
LINES = [
    "2026-05-01T11:59:59.000000Z stdout F of the pod before",
    "2026-05-01T12:00:10.000000Z stdout F first",
    "2026-05-01T12:00:20.000000Z stderr F second word",
    ENVOY,
    "no time of its own",
    "2026-05-01T12:00:50.000000Z stdout F",
]
TOLD = ["first", "second word", ENVOY, "no time of its own", ""]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "default_web.log"
    file.write_text("".join(f"{line}\n" for line in LINES))
    return file


def told(path: Path, options: LogOptions) -> list[str]:
    log, show = LogFile(path, BORN), Printer(options)
    try:
        return b"".join(map(show, log.history(options, NOW))).decode().split("\n")[:-1]
    finally:
        log.close()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (LogOptions(), TOLD),
        (LogOptions(tail_lines=2), TOLD[-2:]),
        (LogOptions(tail_lines=0), []),
        (LogOptions(tail_lines=100), TOLD),
        (LogOptions(since_seconds=30), TOLD[2:]),
        (LogOptions(since_seconds=10**17), TOLD),
        (LogOptions(since=datetime(2026, 5, 1, 12, 0, 40, tzinfo=UTC)), TOLD[4:]),
        (LogOptions(limit_bytes=8), ["first"]),
        (LogOptions(tail_lines=5, timestamps=True, limit_bytes=34), ["2026-05-01T12:00:10.000000Z first"]),
    ],
)
def test_what_is_wanted_is_told(path: Path, options: LogOptions, wanted: list[str]) -> None:
    assert told(path, options) == wanted


def test_every_line_has_a_time(path: Path) -> None:
    stamps = [line.split(" ")[0] for line in told(path, LogOptions(timestamps=True))]
    assert stamps[1:4] == ["2026-05-01T12:00:20.000000Z", "2026-05-01T12:00:30.000Z", "2026-05-01T12:00:30.000Z"]


def test_the_limit_is_kept(path: Path) -> None:
    show = Printer(LogOptions(limit_bytes=8))
    log = LogFile(path, BORN)
    assert b"".join(map(show, log.history(LogOptions(), NOW))) == b"first\nse"
    assert show.full()
    log.close()


def test_a_missing_file_is_empty_and_may_come(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a_b.log", BORN)
    assert not list(log.history(LogOptions(), NOW))
    assert log.more() == []
    (tmp_path / "a_b.log").write_text(f"{LINES[1]}\n")
    assert [line.text for line in log.more()] == [b"first"]
    log.close()


def test_new_lines_come_once_and_whole(path: Path) -> None:
    log = LogFile(path, BORN)
    log.skip()
    with path.open("a") as file:
        print("2026-05-01T12:01:00Z stdout F ha", end="", file=file, flush=True)
        assert log.more() == []
        print("lf", file=file, flush=True)
        assert [line.text for line in log.more()] == [b"half"]
        assert log.more() == []
        print("end", end="", file=file, flush=True)
    assert log.more() == []
    assert [line.text for line in log.end()] == [b"end"]
    log.close()


def test_a_file_that_is_renamed_is_read_to_its_end_first(path: Path) -> None:
    log = LogFile(path, BORN)
    log.skip()
    with path.open("a") as file:
        print("last", file=file)
    path.replace(path.with_suffix(".log.1"))
    path.write_text("new\n")
    assert [line.text for line in [*log.more(), *log.more()]] == [b"last", b"new"]
    again = LogFile(path, BORN)
    assert [line.text.decode() for line in again.history(LogOptions(), NOW)] == [*TOLD, "last", "new"]
    log.close()
    again.close()


def test_a_file_that_is_emptied_begins_again(path: Path) -> None:
    log = LogFile(path, BORN)
    log.skip()
    path.write_text("anew\n")
    assert [line.text for line in log.more()] == [b"anew"]
    log.close()


@given(st.binary(max_size=400), st.integers(0, 400))
def test_any_bytes_are_lines(data: bytes, cut: int) -> None:
    whole, parts = LineReader(BORN), LineReader(BORN)
    wanted = [*whole.feed(data), *whole.end()]
    assert [*parts.feed(data[:cut]), *parts.feed(data[cut:]), *parts.end()] == wanted
    assert len(wanted) == len(data.removesuffix(b"\n").split(b"\n")) if data else not wanted


def test_a_line_without_end_comes_in_parts() -> None:
    reader = LineReader(BORN)
    assert [len(line.text) for line in reader.feed(b"x" * (LONGEST + 1))] == [LONGEST + 1]


def test_times() -> None:
    assert moment_of("2026-05-01T12:00:00Z") == BORN
    assert moment_of("never") < BORN
