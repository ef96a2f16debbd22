import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")]
PROGRAM = """
import pathlib, socket, sys
from switchboard.apply.mounts import own_files
target, source = map(pathlib.Path, sys.argv[1:3])
own_files({target: source, target.parent / "missing": source, source: target.parent / "missing"}, "inside")
print(target.read_text(), socket.gethostname())
"""


def test_files_and_host_name_are_seen_by_this_process_only(tmp_path):
    target, source = tmp_path / "target", tmp_path / "source"
    target.write_text("theirs")
    source.write_text("ours")
    done = subprocess.run([sys.executable, "-c", PROGRAM, target, source], capture_output=True, text=True, check=True)
    assert done.stdout == "ours inside\n"
    assert target.read_text() == "theirs"
    assert os.uname().nodename != "inside"
