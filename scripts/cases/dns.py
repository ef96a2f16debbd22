"""Plays recorded questions to a cluster's DNS against ours.

``dns.py [DIR ...]``: the form of the files is in tests/cases/dns/README.md, and without any those of that directory
are played.  Every question goes as a packet through the server's parts, without sockets; dnspython reads the answer.
The last line is ``N passed, N failed`` and counts cases; exit code 1 when one failed.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

# This file would otherwise be found as the package that it uses.
sys.path[:] = [place for place in sys.path if Path(place).resolve() != Path(__file__).resolve().parent]
RECORDED = Path(__file__).resolve().parents[2] / "tests" / "cases" / "dns"
CORPUS = runpy.run_path(str(RECORDED / "corpus.py"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("places", nargs="*", type=Path, default=[RECORDED])
    results = []
    questions = 0
    for case in (c for place in parser.parse_args().places for c in CORPUS["cases"](place)):
        wrong = CORPUS["play"](case)
        questions += len(case["queries"])
        results.append(not wrong)
        for line in wrong:
            print(f"{case['id']}: {line}")
    print(f"{questions} questions")
    print(f"{sum(results)} passed, {results.count(False)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
