"""A host for the program: network, mounts and processes of its own, so that every trace of a cluster can be told.

``Host`` is what the program sees as the machine.  Its process 1 collects the dead and takes everything with it when
the test ends, so that no failure leaves anything behind, and the host of the tests itself is never touched.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
PROGRAM = str(Path(sys.executable).with_name("switchboard"))
PAYMENTS = str(REPOSITORY / "examples" / "payments")
_INIT = """
import signal, subprocess
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("up", flush=True)
while True:
    signal.pause()
"""
# Everything of the host that a cluster could change, without counters and times.  Mounts of namespaces are those of
# the machine around, which come and go there; ones made here would show as files below /run.
_STATE = """
for what in link addr "route show table all" "-6 route show table all" rule "-6 rule"; do
  echo "# $what"; ip -j $what
done
echo '# nft'; nft list ruleset
echo '# iptables'; if command -v iptables-save > /dev/null; then iptables-save | grep -v '^#'; fi
echo '# sysctls'; grep -rs '' /proc/sys/net/ipv4 /proc/sys/net/ipv6 /proc/sys/net/core
echo '# mounts'; cut -d' ' -f3- /proc/self/mountinfo | grep -v ' - nsfs '
echo '# files'; find /run -mindepth 1 | sort
"""
_VOLATILE = ("stats", "stats64", "valid_life_time", "preferred_life_time", "expires", "age")
_libc = ctypes.CDLL(None, use_errno=True)


def _namespace(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, 0):
        raise OSError(ctypes.get_errno(), "the namespace of the test's host cannot be entered")


class Host:
    """A machine of its own; ``runtime`` is the runtime directory of the clusters that are started on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.runtime = directory / "runtime"
        self._outer = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc",
             sys.executable, "-S", "-c", _INIT],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._outer.stdout is not None
        assert self._outer.stdout.readline() == "up\n"
        self._init = int(Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text())

    def close(self) -> None:
        """Ends everything on it."""
        self._outer.kill()
        self._outer.communicate()

    def spawn(
        self, arguments: Sequence[str], *, environment: Mapping[str, str] | None = None, **how: Any
    ) -> subprocess.Popen[str]:
        """Starts a program on this host, in a process group of its own."""
        complete = {**os.environ, "SWITCHBOARD_RUNTIME_DIR": str(self.runtime), "COLUMNS": "200", **(environment or {})}
        before = [_namespace(f"/proc/self/ns/{kind}") for kind in ("pid", "net")]
        there = [_namespace(f"/proc/{self._init}/ns/{kind}") for kind in ("pid", "net", "mnt")]

        def enter_mounts() -> None:
            _setns(there[-1])
            os.chdir(REPOSITORY)

        how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
        try:
            for descriptor in there[:-1]:
                _setns(descriptor)
            return subprocess.Popen(
                arguments, env=complete, text=True, preexec_fn=enter_mounts, start_new_session=True, **how
            )
        finally:
            for descriptor in before:
                _setns(descriptor)
            for descriptor in (*before, *there):
                os.close(descriptor)

    def run(
        self, *arguments: str, code: int | None = 0, seconds: float = 40.0, **how: Any
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program on this host to its end and holds it to its exit code, unless that is None."""
        with self.spawn(arguments, **how) as process:
            try:
                out, err = process.communicate(timeout=seconds)
            except BaseException:
                process.kill()
                raise
        done = subprocess.CompletedProcess(arguments, process.returncode, out, err)
        assert code is None or done.returncode == code, f"{arguments}: {done.returncode}\n{out}\n{err}"
        return done

    def switchboard(self, *arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
        """Runs the program."""
        return self.run(PROGRAM, *arguments, **how)

    def processes(self) -> dict[int, str]:
        """What runs on this host besides its process 1, by the ids and names that the test's own machine gives."""
        found = {}
        here = Path(f"/proc/{self._init}/ns/pid").stat()
        for pid in _descendants(self._init) | _inside(here):
            if pid != self._init:
                with contextlib.suppress(OSError):
                    found[pid] = Path(f"/proc/{pid}/comm").read_text().strip()
        return found

    def state(self) -> dict[str, Any]:
        """Everything that a cluster could have changed; two states of a clean host are equal."""
        found: dict[str, Any] = {}
        part = ""
        for line in self.run("sh", "-c", _STATE, code=None).stdout.splitlines():
            if line.startswith("# "):
                part = line
                found[part] = []
            else:
                found[part] += [_plain(each) for each in json.loads(line)] if line.startswith("[{") else [line]
        found["processes"] = sorted(self.processes().values())
        found["runtime"] = sorted(str(path) for path in self.directory.rglob("*"))
        return found


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in entry.items() if key not in _VOLATILE}
    kept["addr_info"] = [_plain(each) for each in entry.get("addr_info", ()) if each]
    return kept


def _descendants(root: int) -> set[int]:
    found: set[int] = set()
    queue = [root]
    while queue:
        pid = queue.pop()
        found.add(pid)
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                queue += [int(child) for child in (task / "children").read_text().split()]
    return found


def _inside(namespace: os.stat_result) -> set[int]:
    """Processes whose pid namespace is this one: those started from outside have their parent there."""
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid = int(entry.name)
            if os.path.samestat((entry / "ns/pid").stat(), namespace):
                found |= _descendants(pid)
    return found


@contextlib.contextmanager
def _made(directory: Path) -> Iterator[Host]:
    if os.geteuid():
        pytest.skip("needs root: the test makes a machine of namespaces for the program")
    host = Host(directory)
    try:
        yield host
    finally:
        host.close()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host without a cluster."""
    with _made(tmp_path_factory.mktemp("host")) as made:
        yield made


class Cluster:
    """A cluster with the payment example on a host of its own."""

    name = "proof"

    def __init__(self, host: Host) -> None:
        self.host = host
        self.started = host.switchboard("up", "-f", PAYMENTS, "--name", self.name, "--detach")

    def switchboard(self, verb: str, *arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
        """Runs a verb of the program about this cluster."""
        return self.host.switchboard(verb, "--name", self.name, *arguments, **how)

    def status(self) -> dict[str, Any]:
        return json.loads(self.switchboard("status", "-o", "json").stdout)

    def inside(self, namespace: str, *arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
        """Runs a program in a namespace of the cluster."""
        return self.switchboard("exec", namespace, "--", *arguments, **how)

    def table(self, title: str) -> dict[str, dict[str, str]]:
        """A table of ``status`` by its first column; cells are two or more spaces apart."""
        lines = iter(self.switchboard("status").stdout.splitlines())
        next(line for line in lines if line.strip() == title)
        heads = next(lines).split()
        return {(cells := line.split())[0]: dict(zip(heads, cells, strict=False)) for line in _until_blank(lines)}


def _until_blank(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if not line.strip():
            return
        yield line


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all tests that only look at it."""
    with _made(tmp_path_factory.mktemp("cluster")) as made:
        running = Cluster(made)
        yield running
        running.switchboard("down")
