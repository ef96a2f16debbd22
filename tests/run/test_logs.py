"""Logs of pods: lines with their time, one file, bounded."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchboard.run.logs import BoundedLog

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z stdout F .*")


def test_a_line_has_time_stream_and_mark(tmp_path: Path) -> None:
    log = BoundedLog.of_pod(tmp_path, "shop", "web-0")
    log.write("listening on 8080/tcp")
    log.close()
    (line,) = log.path.read_text().splitlines()
    assert LINE.fullmatch(line)
    assert line.endswith(" listening on 8080/tcp")
    assert log.path.name == "shop_web-0.log"
    assert log.path.stat().st_mode & 0o777 == 0o600


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(max_size=40))
def test_whatever_is_logged_stays_one_line(tmp_path: Path, text: str) -> None:
    log = BoundedLog(tmp_path / "a_b.log")
    log.write(text)
    log.close()
    content = log.path.read_bytes()
    log.path.unlink()
    assert content.count(b"\n") == 1
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", content)


def test_a_full_log_is_kept_once_and_goes_on_in_a_new_file(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "a_b.log", most_bytes=200)
    for number in range(22):
        log.write(f"line {number}")
    log.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["a_b.log", "a_b.log.1"]
    assert all(path.stat().st_size <= 300 for path in tmp_path.iterdir())
    assert "line 21" in log.path.read_text()


def test_the_log_of_a_program_is_cut_and_its_end_kept(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "a_b.log", most_bytes=100)
    log.bound()
    log.path.write_bytes(b"x" * 100)
    log.bound()
    assert log.path.stat().st_size == 100
    log.path.write_bytes(b"a" * 100 + b"b" * 100)
    log.bound()
    assert log.path.stat().st_size == 0
    assert (tmp_path / "a_b.log.1").read_bytes() == b"b" * 100
