"""The runtime is the best that works, each refusal one sentence; trying leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from switchboard.apply import netns
from switchboard.base.errors import MachineError
from switchboard.run import runtime
from switchboard.run.runtime import Runtime, choose, find_program


@pytest.mark.parametrize(
    ("uid", "works", "chosen"),
    [
        (0, {Runtime.ROOT, Runtime.ROOTLESS}, Runtime.ROOT),
        (0, {Runtime.ROOTLESS}, Runtime.ROOTLESS),
        (1000, {Runtime.ROOT, Runtime.ROOTLESS}, Runtime.ROOTLESS),
    ],
)
def test_the_best_that_works(monkeypatch, uid: int, works: set[Runtime], chosen: Runtime) -> None:
    monkeypatch.setattr(runtime, "_works", lambda which, uid, gid: which in works)
    assert choose(uid, uid) is chosen


@pytest.mark.parametrize("uid", [0, 1000])
def test_none_works(monkeypatch, uid: int) -> None:
    monkeypatch.setattr(runtime, "_works", lambda *_: False)
    with pytest.raises(MachineError) as raised:
        choose(uid, uid)
    assert raised.value.reference == "no-namespaces"
    assert "max_user_namespaces" in raised.value.hint


def test_other_systems_are_told_so(monkeypatch) -> None:
    monkeypatch.setattr(runtime.sys, "platform", "darwin")
    with pytest.raises(MachineError) as raised:
        choose(0, 0)
    assert raised.value.reference == "no-linux"


def test_an_attempt_that_fails_is_no_error(monkeypatch) -> None:
    def refuse(flags: int) -> None:
        raise OSError(1, "no")

    monkeypatch.setattr(netns, "unshare", refuse)
    assert not runtime._works(Runtime.ROOT, 0, 0)


def test_trying_leaves_this_process_where_it_is() -> None:
    before = {kind: Path(f"/proc/self/ns/{kind}").stat().st_ino for kind in ("net", "user", "pid", "mnt")}
    for each in Runtime:
        runtime._works(each, os.getuid(), os.getgid())
    assert {kind: Path(f"/proc/self/ns/{kind}").stat().st_ino for kind in before} == before


def test_only_the_ordinary_user_needs_a_user_namespace() -> None:
    assert not Runtime.ROOT.flags & netns.CLONE_NEWUSER
    assert Runtime.ROOTLESS.flags & netns.CLONE_NEWUSER
    assert Runtime.ROOT.flags & Runtime.ROOTLESS.flags & netns.CLONE_NEWPID


def test_a_program_is_found_where_debian_keeps_it(monkeypatch, tmp_path: Path) -> None:
    program = tmp_path / "nft"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(runtime, "_SBIN", str(tmp_path))
    assert find_program("nft", "nftables") == str(program)


def test_a_missing_program_names_its_package(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(runtime, "_SBIN", "/nowhere")
    with pytest.raises(MachineError) as raised:
        find_program("nft", "nftables")
    assert (raised.value.reference, raised.value.exit_code) == ("no-nftables", 3)
    assert raised.value.hint.endswith("apt-get install nftables")
