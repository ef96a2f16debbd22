from __future__ import annotations

import pytest

from switchboard.apply.conntrack import KernelConntrack
from switchboard.base.errors import MachineError
from switchboard.rules.conntrack import Flow

FLOW = Flow("udp", "10.0.0.1", "10.96.0.1", 1001, 53, "10.244.0.1", 5353)


@pytest.fixture
def install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def write(body):
        program = tmp_path / "conntrack"
        program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/log\n{body}\n')
        program.chmod(0o755)
        return tmp_path / "log"

    return write


def test_listing_and_forgetting(install):
    log = install(
        "cat >> $0.in; echo 'udp 17 9 src=10.0.0.1 dst=10.96.0.1 sport=1001 dport=53 "
        "src=10.244.0.1 dst=10.0.0.1 sport=5353 dport=1001'"
    )
    assert KernelConntrack().udp_flows() == (FLOW,)
    KernelConntrack().forget((FLOW,))
    KernelConntrack().forget(())
    assert log.read_text() == "-L -p udp\n-R -\n"
    assert (log.parent / "conntrack.in").read_text().startswith("-D -p udp -s 10.0.0.1 -d 10.96.0.1")


def test_refusal_is_translated(install):
    install("echo 'Operation failed: no' >&2; exit 1")
    with pytest.raises(MachineError) as error:
        KernelConntrack().udp_flows()
    assert error.value.reference == "conntrack-refused"
