"""The machine as commands see it: starts, finds, asks, enters and ends embedded clusters."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from switchboard.apply import files, mounts, netns
from switchboard.base.errors import MachineError
from switchboard.cli.ports import ApiOptions, ClusterStatus, Event, RefusedError
from switchboard.compile.lab import LabOptions, host_link
from switchboard.k8s.manifests import Manifest
from switchboard.run import control, kubelet, pod_files, progress, runtime
from switchboard.run.home import Home, locate
from switchboard.run.population import populate
from switchboard.run.runtime import Runtime
from switchboard.run.supervisor import Launch, State, release_signals, start
from switchboard.serve.channel import Channel, ChannelError
from switchboard.serve.control_socket import ask_for_namespace
from switchboard.serve.outside import RequestPlan, measure
from switchboard.serve.tally import Measurement
from switchboard.view.model import View

_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.02


class Start:
    """A cluster of this command."""

    def __init__(self, home: Home, pid: int, reader: int) -> None:
        self._home = home
        self._pid = pid
        self._reader = reader
        self._status: int | None = None
        self.interrupted = False

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal: the cluster is told to end, and whatever waits for it here sees that it has.

        Nothing is raised: an exception could come where Python cannot pass it on, and the interrupt would be lost.
        """
        del number, frame
        self.interrupted = True
        if self._status is None:
            _signal(self._pid, signal.SIGTERM)

    def events(self) -> Iterator[Event]:
        """Progress until the last process of the cluster has closed its end; from here on Ctrl-C is heard."""
        release_signals()
        with open(self._reader, "rb") as stream:
            yield from progress.read(stream)

    def wait(self) -> int:
        """Blocks until the supervisor has ended, then removes what it may have left."""
        release_signals()
        if self._status is None:
            _, status = os.waitpid(self._pid, 0)
            self._status = os.waitstatus_to_exitcode(status)
            _clean(self._home)
        return self._status if self._status >= 0 else 3

    def stop(self) -> None:
        """Asks the supervisor to end; a further Ctrl-C does not disturb this."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            if self._status is None:
                _signal(self._pid, signal.SIGTERM)
                self.wait()
        finally:
            signal.signal(signal.SIGINT, before)


class LocalMachine:
    """Implements ``cli.ports.Machine``."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._runtime: Runtime | None = None

    def runtime(self) -> str:
        """Chosen once, by trying."""
        return self._chosen().value

    def start(self, options: LabOptions, manifests: Sequence[Manifest], *, attached: bool) -> Start:
        """Forks the supervisor; SIGTERM and SIGHUP end a foreground command like Ctrl-C."""
        began = time.monotonic()
        store, findings = populate(options, manifests)
        if findings:
            raise RefusedError(findings)
        launch = Launch(
            home=self._home(options.name),
            runtime=self._chosen(),
            options=options,
            manifests=len(manifests),
            store=store,
            kubelet=kubelet.main,
            control=control.main,
            attached=attached,
        )
        pid, reader = start(launch, began)
        started = Start(launch.home, pid, reader)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, started.interrupt)
        return started

    def stop(self, name: str) -> bool:
        """Ends politely, after a while by force: the supervisor's death ends everything."""
        home = self._home(name)
        there = home.path.exists()
        owner = home.owner()
        if owner:
            _signal(owner, signal.SIGTERM)
            deadline = time.monotonic() + _STOP_SECONDS
            while home.alive() and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
            if home.owner() == owner:
                _signal(owner, signal.SIGKILL)
        if there:
            _clean(home)
        return there

    def status(self, name: str) -> ClusterStatus:
        """Asks the control process."""
        home = self._home(name)
        said = self._ask(home, "status")
        state = msgspec.json.decode(home.state.read_bytes(), type=State)
        return msgspec.convert(
            {
                **said,
                "kind": "ClusterStatus",
                "name": state.name,
                "runtime": state.runtime,
                "supervisor": state.supervisor,
                "directory": str(home.path),
                "authority": str(home.authority),
                "forwarded": state.forwarded,
                "memory": memory(state.supervisor),
            },
            ClusterStatus,
        )

    def view(self, name: str) -> View:
        """Asks the control process."""
        return msgspec.convert(self._ask(self._home(name), "view"), View)

    def measure(
        self, name: str, client: str, plan: RequestPlan, progress: Callable[[int, int], None] | None
    ) -> Measurement:
        """Sends requests in a child process that has entered the client's namespace."""
        namespaces = self._namespaces(name, client)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.close(reader)
            _measure(plan, namespaces, writer)
        os.close(writer)
        result: Any = None
        try:
            with open(reader, "rb") as stream:
                for line in stream:
                    result = msgspec.json.decode(line)
                    if isinstance(result, list) and progress is not None:
                        progress(*result)
        finally:
            os.waitpid(child, 0)
        if not isinstance(result, dict):
            raise MachineError("measurement-failed", "The outside client ended without a result.")
        if "error" in result:
            raise MachineError("measurement-failed", f"The outside client failed: {result['error']}")
        return msgspec.convert(result, Measurement, strict=False)

    def execute(self, name: str, namespace: str, arguments: Sequence[str]) -> int:
        """Runs a program in a namespace, with this terminal."""
        namespaces = self._namespaces(name, namespace)
        child = os.fork()
        if child == 0:
            try:
                enter(namespaces)
                if "/" in namespace:
                    own = pod_files.mounts(self._home(name).path, namespace)
                    mounts.own_files(own, own[Path("/etc/hostname")].read_text().strip())
                os.execvp(arguments[0], list(arguments))
            except OSError as error:
                sys.stderr.write(f"error: {arguments[0]}: {error.strerror}\n")
            finally:
                os._exit(127)
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        finally:
            signal.signal(signal.SIGINT, before)

    def serve_api(self, options: ApiOptions, ready: Callable[[str, Path], None]) -> int:
        """Serves in this process."""
        from switchboard.run.apiserver import serve

        return serve(options, ready)

    def read_manifests(self, paths: Sequence[str], recursive: bool) -> list[tuple[str, str]]:
        """Reads files, directories and standard input."""
        return files.read(paths, recursive, sys.stdin.buffer.read)

    def _chosen(self) -> Runtime:
        if self._runtime is None:
            for program, package in (("nft", "nftables"), ("conntrack", "conntrack")):
                runtime.find_program(program, package)
            self._runtime = runtime.choose(os.getuid(), os.getgid())
        return self._runtime

    def _home(self, name: str) -> Home:
        return locate(self._environment, os.getuid(), name)

    def _ask(self, home: Home, method: str) -> Any:
        async def ask() -> Any:
            channel = Channel({})
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(home.control))
            except OSError:
                connection.close()
                raise
            await channel.open(connection)
            serving = asyncio.create_task(channel.serve())
            try:
                return await channel.call(method)
            finally:
                serving.cancel()

        try:
            return asyncio.run(ask())
        except OSError as error:
            raise MachineError(
                "not-running",
                f"No cluster {home.path.name} is running.",
                hint="Start one: switchboard up -f MANIFESTS",
            ) from error
        except ChannelError as error:
            raise MachineError("control-failed", f"The cluster did not answer: {error}.") from error

    def _namespaces(self, name: str, namespace: str) -> tuple[int, int]:
        try:
            return ask_for_namespace(self._home(name).enter, namespace)
        except LookupError as error:
            raise MachineError("unknown-namespace", f"{namespace}: {error}.") from error
        except OSError as error:
            raise MachineError(
                "not-running", f"No cluster {name} is running.", hint="Start one: switchboard up -f MANIFESTS"
            ) from error


def enter(namespaces: tuple[int, int]) -> None:
    """Moves this process into a user namespace, unless it is its own already, and a network namespace."""
    user, network = namespaces
    if os.fstat(user).st_ino != Path("/proc/self/ns/user").stat().st_ino:
        netns.setns(user, netns.CLONE_NEWUSER)
    netns.setns(network)


def memory(supervisor: int) -> dict[str, int]:
    """Proportional memory (bytes) of the supervisor and all its descendants, by process name."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parent = int((entry / "stat").read_text().rpartition(") ")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found: dict[str, int] = {}
    queue = [supervisor]
    while queue:
        pid = queue.pop()
        queue += children.get(pid, [])
        with contextlib.suppress(OSError):
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            size = next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
            found[name] = found.get(name, 0) + size * 1024
    return found


def _measure(plan: RequestPlan, namespaces: tuple[int, int], writer: int) -> None:
    """The child that is the outside client; never returns."""

    def tell(value: Any) -> None:
        os.write(writer, msgspec.json.encode(value) + b"\n")

    try:
        enter(namespaces)
        tell(msgspec.to_builtins(measure(plan, progress=lambda done, total: tell([done, total])), str_keys=True))
    except BaseException as error:  # noqa: BLE001 - told to the parent, which raises
        tell({"error": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(0)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _clean(home: Home) -> None:
    """Waits for the last process of the cluster, then for the host's link to go, and removes the directory."""
    home.wait_until_dead()
    link = host_link(home.path.name)
    deadline = time.monotonic() + _STOP_SECONDS
    # Asked of the kernel: /sys may show another network than this process is in.
    while any(name == link for _, name in socket.if_nameindex()) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    home.remove()
