"""Plays the recorded API conformance cases against a server of our own.

``api.py [DIR|FILE ...]``: the form of the files is at the top of tests/replay/api/replay.py, and without any those of
tests/cases/api/recorded are played.  A fresh server on a free port, in a directory that goes with it.
Cases tagged ``quirk`` are skipped (artefacts of another implementation), and ``history`` (need an old server).
tests/cases/api/exceptions.txt names cases that may fail, each with its reason.
The last line is ``N passed, N failed``; exit code 1 when one failed that is no exception.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPLAY = ROOT / "tests" / "replay" / "api" / "replay.py"
RECORDED = ROOT / "tests" / "cases" / "api" / "recorded"
EXCEPTIONS = ROOT / "tests" / "cases" / "api" / "exceptions.txt"
JOBS = "4"
_SUMMARY = re.compile(r"(\d+) passed, (\d+) failed")


def files(places: list[str]) -> list[str]:
    """Every case file in these places; without any, what is recorded in the repository."""
    found: list[Path] = []
    for place in map(Path, places or [str(RECORDED)]):
        # The directory above the recorded ones stands for them.
        recorded = place / "recorded"
        place = recorded if recorded.is_dir() else place
        found += sorted(place.glob("*.jsonl")) if place.is_dir() else [place]
    return list(map(str, found))


def exceptions() -> dict[str, str]:
    """Reasons by case; a line is ``case: reason``."""
    lines = EXCEPTIONS.read_text().splitlines() if EXCEPTIONS.exists() else []
    pairs = (line.partition(":") for line in lines if line.strip() and not line.startswith("#"))
    return {case.strip(): reason.strip() for case, _, reason in pairs}


@contextlib.contextmanager
def server() -> Iterator[tuple[str, str]]:
    """Address and token of a fresh server."""
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as directory:
        command = [str(Path(sys.executable).with_name("switchboard")), "apiserver", "--data-dir", f"{directory}/data",
                   "--bind", "127.0.0.1:0", "--token", token]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                ready = process.stdout.readline()
                found = re.match(r"ready: (https://\S+),", ready)
                if found is None:
                    raise SystemExit(f"the server did not start: {ready}")
                yield found[1], token
            finally:
                process.terminate()


def play(file: str, address: str, token: str) -> tuple[int, list[tuple[str, str]]]:
    """Passed cases, and (case, difference) of those that failed."""
    command = [sys.executable, str(REPLAY), "--server", address, "--token", token, "--insecure", "--jobs", JOBS,
               "--skip-tag", "quirk", "--skip-tag", "history", file]  # fmt: skip
    passed, failed = 0, []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as replay:
        assert replay.stdout is not None
        for line in replay.stdout:
            if line.startswith("FAIL "):
                case, _, why = line.removeprefix("FAIL ").partition(": ")
                failed.append((case, why.rstrip()))
            elif found := _SUMMARY.fullmatch(line.strip()):
                passed = int(found[1])
    if replay.returncode not in (0, 1):
        raise SystemExit(f"{file}: the replayer ended with exit code {replay.returncode}")
    return passed, failed


def main() -> int:
    excused = exceptions()
    passed, counts = 0, Counter[str]()
    with server() as (address, token):
        for file in files(sys.argv[1:]):
            good, bad = play(file, address, token)
            for case, why in bad:
                known = case in excused
                counts["excused" if known else "failed"] += 1
                print(f"{'excused' if known else 'FAIL'} {case}: {excused.get(case, why)}", flush=True)
            print(f"{Path(file).name}: {good} passed, {len(bad)} failed", flush=True)
            passed += good
    if counts["excused"]:
        print(f"{counts['excused']} of the failed are exceptions with a reason")
    print(f"{passed} passed, {counts['failed'] + counts['excused']} failed")
    return 1 if counts["failed"] or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
