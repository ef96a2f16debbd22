import json
import re
import signal
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml

from switchboard.base.errors import MachineError, UsageError
from switchboard.cli.ports import ApiOptions
from switchboard.run.apiserver import serve

PROGRAM = str(Path(sys.executable).with_name("switchboard"))


def start(directory):
    command = [PROGRAM, "apiserver", "--data-dir", str(directory), "--bind", "127.0.0.1:0", "--token", "t"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.match(r"ready: (https://127\.0\.0\.1:\d+), kubeconfig (\S+)", process.stdout.readline())
    assert found is not None
    return process, found[1], Path(found[2])


def ask(address, kubeconfig, path, body=None):
    config = yaml.safe_load(kubeconfig.read_text())
    import base64

    data = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=data)
    request = urllib.request.Request(address + path, headers={"Authorization": "Bearer t"})
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, context=context, timeout=10) as answer:
        return json.load(answer)


def test_what_was_written_is_there_after_a_restart(tmp_path):
    maps = "/api/v1/namespaces/default/configmaps"
    process, address, kubeconfig = start(tmp_path / "data")
    try:
        made = ask(address, kubeconfig, maps, {"metadata": {"name": "kept"}, "data": {"a": "1"}})
        authority = (tmp_path / "data/ca.crt").read_text()
        private = [p for p in (tmp_path / "data").iterdir() if p.stat().st_mode & 0o077]
        assert not [p.name for p in private if p.suffix in (".key", "") and p.name != "lock"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 0
    process, address, kubeconfig = start(tmp_path / "data")
    try:
        assert ask(address, kubeconfig, f"{maps}/kept") == made
        assert (tmp_path / "data/ca.crt").read_text() == authority
    finally:
        process.kill()
        process.communicate(timeout=20)


def test_places_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError):
        serve(ApiOptions(data_dir=tmp_path / "file"), lambda *_: None)
    open_ = tmp_path / "open"
    open_.mkdir()
    open_.chmod(0o777)
    with pytest.raises(MachineError):
        serve(ApiOptions(data_dir=open_), lambda *_: None)
    with pytest.raises(UsageError):
        serve(ApiOptions(data_dir=tmp_path / "d", host="192.0.2.1", port=1), lambda *_: None)
