"""Plays recorded node states and packet flows against our proxy, in every mode that the recording has answers for.

``proxy.py [--mode MODE ...] DIR|FILE ...``: the form of the files is in tests/cases/proxy/recorded/README.md, and
without any those of that directory are played.  Needs root; each case gets network namespaces of its own.
The last line is ``N passed, N failed``, over all modes; exit code 1 when one failed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "tests" / "replay" / "proxy" / "proxylab.py"
RECORDED = ROOT / "tests" / "cases" / "proxy" / "recorded"
MODES = ("nftables", "iptables")
_SUMMARY = re.compile(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?")


def files(places: list[str]) -> list[str]:
    """Every case in these files and directories; without any, what is recorded in the repository."""
    found: list[Path] = []
    for place in map(Path, places or [str(RECORDED)]):
        found += sorted(place.glob("*.json")) if place.is_dir() else [place]
    return list(map(str, found))


def play(mode: str, cases: list[str]) -> tuple[int, int]:
    """Passed and failed cases of one mode; what the lab says goes to our output."""
    program = f"{sys.executable} -m switchboard.run.proxy_state --mode {mode} --state {{state}} --ack {{ack}}"
    command = [sys.executable, str(LAB), "check", "--expect", mode, "--program", program, *cases]
    passed = failed = 0
    said = False
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as lab:
        assert lab.stdout is not None
        for line in lab.stdout:
            if found := _SUMMARY.fullmatch(line.strip()):
                said = True
                passed, failed = int(found[1]), int(found[2]) + int(found[3] or 0)
            else:
                print(f"{mode}: {line}", end="", flush=True)
    if not said:
        print(f"{mode}: the laboratory ended with exit code {lab.returncode} before its end")
        failed = len(cases)
    return passed, failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--mode", action="append", choices=MODES)
    arguments = parser.parse_args()
    cases = files(arguments.cases)
    results = [play(mode, cases) for mode in arguments.mode or MODES]
    passed, failed = (sum(column) for column in zip(*results, strict=True))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
