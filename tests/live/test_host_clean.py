"""Nothing of a cluster stays on the host: whatever ends it, and at whatever moment.

Every test compares the host before and after: links, addresses, routes, rules, firewall, sysctls, mounts, processes,
files.  The link to the host is on, so that there is something to leave behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.live
SMALL = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: "web:1", ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: nginx
  rules:
  - host: web.example.com
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
"""
NAME = "clean"


class Front:
    """The program in the foreground."""

    def __init__(self, host, manifests: Path) -> None:
        self.host = host
        arguments = [str(Path(sys.executable).with_name("switchboard")), "up", "--name", NAME, "-f", str(manifests)]
        self.process = host.spawn(arguments, stderr=subprocess.STDOUT)
        self.seen: list[str] = []

    def until_line(self, text: str) -> None:
        """Reads on until a line has ``text``; fails when the program ends before."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.seen.append(line)
            if text in line:
                return
        pytest.fail(f"the program ended before it said {text!r}: {''.join(self.seen)}")

    def end(self) -> int:
        """What is left of its output is read, then its exit code."""
        self.seen.append(self.process.communicate(timeout=30)[0])
        return self.process.returncode

    def named(self, name: str) -> int:
        """The process of the cluster with this name."""
        return next(pid for pid, found in sorted(self.host.processes().items()) if found == name)


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("manifests") / "small.yaml"
    file.write_text(SMALL)
    return file


def changes(before: dict, after: dict) -> list[str]:
    """What has come and what has gone, in words."""
    found = []
    for part, new in after.items():
        old = before[part]
        found += [f"{part}: left {entry}" for entry in new if entry not in old]
        found += [f"{part}: lost {entry}" for entry in old if entry not in new]
        if new != old and sorted(map(str, new)) == sorted(map(str, old)):
            found.append(f"{part}: in another order")
    return found


@pytest.fixture
def untouched(host) -> Iterator[None]:
    """The host is the same after the test."""
    before = host.state()
    assert before["processes"] == []
    yield
    after = host.state()
    assert changes(before, after) == []


@pytest.fixture
def front(host, manifests: Path, untouched) -> Iterator[Front]:
    started = Front(host, manifests)
    yield started
    with contextlib.suppress(ProcessLookupError):
        os.killpg(started.process.pid, signal.SIGKILL)
    started.process.communicate(timeout=30)


def test_state_sees_what_a_cluster_makes(host, manifests) -> None:
    """The comparison would fail: a running cluster shows in it, and is gone after a normal end."""
    before = host.state()
    host.switchboard("up", "--name", NAME, "-f", str(manifests), "--detach")
    during = host.state()
    assert {key for key, value in during.items() if value != before[key]} >= {
        "# link", "# addr", "# route show table all", "processes", "runtime",
    }  # fmt: skip
    assert during["# nft"] == before["# nft"]
    assert during["# mounts"] == before["# mounts"]
    done = host.switchboard("down", "--name", NAME)
    assert "nothing of it is left" in done.stdout
    assert changes(before, host.state()) == []
    assert "no cluster" in host.switchboard("down", "--name", NAME).stdout
    assert "No cluster" in host.switchboard("status", "--name", NAME, code=3).stderr


@pytest.mark.parametrize("moment", ["runtime:", "nodes in", "manifests applied", "pods ready", "ready after", "Ctrl-C"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_interrupted_at_any_moment(front: Front, moment: str, number: signal.Signals) -> None:
    front.until_line(moment)
    if number is signal.SIGINT:
        os.killpg(front.process.pid, number)
    else:
        os.kill(front.process.pid, number)
    assert front.end() in ((0,) if moment != "runtime:" else (0, 130, -number)), front.seen
    assert "Traceback" not in "".join(front.seen)


@pytest.mark.parametrize("steps", range(0, 400, 80))
def test_interrupted_before_the_first_line(front: Front, until, steps: int) -> None:
    """Moments by what the program has done so far: how many pages it has touched."""

    def loaded() -> bool:
        fields = Path(f"/proc/{front.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return int(fields[7]) >= 4000 + 15 * steps or fields[0] == "Z"

    until(loaded, "the program does something")
    os.killpg(front.process.pid, signal.SIGINT)
    front.end()


@pytest.mark.parametrize("victim", ["swb-supervisor", "swb-init", "swb-control", "swb-kubelet"])
def test_any_process_of_the_cluster_killed(host, front: Front, victim: str) -> None:
    front.until_line("Ctrl-C")
    os.kill(front.named(victim), signal.SIGKILL)
    assert front.end() == 3, front.seen


def test_front_killed_takes_the_cluster_with_it(host, front: Front, until) -> None:
    front.until_line("Ctrl-C")
    front.process.kill()
    front.process.wait()
    until(lambda: not host.processes(), "all processes end with the front")
    until(lambda: not (host.runtime / NAME).exists(), "the supervisor removes the directory")
    until(lambda: NAME not in host.run("ip", "-o", "link").stdout, "the kernel removes the link")


@pytest.mark.parametrize("moment", ["directory", "lock", "log", "supervisor", "state.json"])
def test_interrupted_while_the_supervisor_is_made(host, front: Front, until, moment: str) -> None:
    """Between the first file and the first process the cluster has no name yet to be ended by."""
    directory = host.runtime / NAME

    def reached() -> bool:
        if moment == "supervisor":
            return len(host.processes()) > 1
        return (directory if moment == "directory" else directory / moment).exists()

    until(reached, moment)
    os.killpg(front.process.pid, signal.SIGINT)
    front.end()
    until(lambda: not host.processes(), "all processes end with the front")
    until(lambda: not host.runtime.exists(), "the directory is removed")


@pytest.mark.parametrize(
    ("victim", "after"),
    [("swb-supervisor", "down"), ("swb-init", "up"), ("swb-control", "down"), ("swb-kubelet", "up")],
)
def test_background_cluster_killed(host, manifests, until, untouched, victim: str, after: str) -> None:
    up = ("up", "--name", NAME, "-f", str(manifests), "--detach")
    host.switchboard(*up)
    pid = next(pid for pid, name in host.processes().items() if name == victim)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not host.processes(), "all processes end with one")
    if after == "up":
        assert "ready after" in host.switchboard(*up).stdout
    host.switchboard("down", "--name", NAME)


def test_envoy_is_restarted_and_the_cluster_goes_on_serving(host, front: Front, until) -> None:
    front.until_line("Ctrl-C")
    status = json.loads(host.switchboard("status", "--name", NAME, "-o", "json").stdout)
    ask = ("curl", "-sS", "--max-time", "5", "--retry", "0", "-H", "Host: web.example.com",
           f"http://127.0.0.1:{status['forwarded']['http']}/")  # fmt: skip

    def envoys() -> set[int]:
        return {pid for pid, name in host.processes().items() if name == "envoy"}

    before = envoys()
    assert len(before) == 2
    assert json.loads(host.run(*ask).stdout)["pod"].startswith("web-")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(envoys() - before) == 2, "both gateways run again")

    def answered() -> bool:
        done = host.run(*ask, code=None)
        return done.returncode == 0 and done.stdout.startswith("{")

    until(answered, "the gateway answers again")
    os.killpg(front.process.pid, signal.SIGINT)
    assert front.end() == 0
