"""The thin applier, against a program that stands in for nft; ``tests/live`` has the real one."""

from __future__ import annotations

import pytest

from switchboard.apply.nft import KernelNft
from switchboard.base.errors import MachineError

PROGRAM = """#!/bin/sh
echo "$@" >> {log}
cat >> {log}
{body}
"""


@pytest.fixture
def nft(tmp_path, monkeypatch):
    """Installs a fake program with a body, and returns what it has been told."""
    log = tmp_path / "log"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def install(body="true"):
        program = tmp_path / "nft"
        program.write_text(PROGRAM.format(log=log, body=body))
        program.chmod(0o755)
        return log

    return install


def test_transactions_go_to_standard_input(nft):
    log = nft()
    KernelNft().apply("add table ip t\n")
    KernelNft().check("delete table ip t\n")
    assert log.read_text() == "-f -\nadd table ip t\n-c -f -\ndelete table ip t\n"


def test_empty_transaction_is_not_sent(nft):
    log = nft()
    KernelNft().apply("")
    assert not log.exists()


def test_listing(nft):
    nft("echo 'table ip t {'; echo '}'")
    assert KernelNft().list_table("ip", "t") == "table ip t {\n}\n"
    nft("echo 'Error: No such file or directory' >&2; exit 1")
    assert KernelNft().list_table("ip", "t") == ""


@pytest.mark.parametrize(
    ("words", "reference", "context"),
    [
        ("/dev/stdin:2:1-3: Error: syntax error", "nft-refused", "bad"),
        ("internal:0:0-0: Error: Could not process rule: Device or resource busy", "nft-refused", ""),
        ("Error: Could not process rule: Operation not permitted", "nft-not-permitted", ""),
    ],
)
def test_refusals_are_translated(nft, words, reference, context):
    nft(f"echo '{words}' >&2; exit 1")
    with pytest.raises(MachineError) as error:
        KernelNft().apply("good\nbad\n")
    assert (error.value.reference, error.value.context) == (reference, context)
