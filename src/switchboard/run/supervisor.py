"""The processes of an embedded cluster and their life: everything dies with the supervisor.

    front (the command, in the foreground)
      └─ supervisor   host namespaces; holds the lock and the listening sockets of forwarded ports
           └─ init    process 1 of a pid namespace; holds the network namespaces of the fabric
                ├─ kubelet   pods: namespaces, stand-ins, gateway processes
                └─ control   store, controllers, rules, gateway configuration, control socket

The kernel kills a pid namespace with its process 1, process 1 gets SIGKILL when the supervisor dies, and namespaces,
links, routes and rules go with the last process in them: whatever is killed, nothing is left but the runtime
directory, which the next start or ``down`` removes.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import msgspec

from switchboard.api.store import Store
from switchboard.apply import netns
from switchboard.compile import lab
from switchboard.compile.lab import LabOptions
from switchboard.run import runtime as runtimes
from switchboard.run.home import Home
from switchboard.run.progress import Progress
from switchboard.run.runtime import Runtime

API = "api"  # the listening socket of the Kubernetes API, among the forwarded ports
_GRACE_SECONDS = 3.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What init hands to its children: descriptors by name, the channel between them, options, the store.

    ``manifests`` is how many the person gave.
    """

    home: str
    options: LabOptions
    manifests: int
    store: Store
    runtime: Runtime
    namespaces: dict[str, int]
    listeners: dict[str, int]
    host: int
    user: int
    channel: int
    progress: int
    started: float


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is on disk while a cluster runs (``state.json``); forwarded ports by name."""

    name: str
    runtime: str
    supervisor: int
    forwarded: dict[str, int]


Child = Callable[[Parts], None]


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What to start: the cluster asked for, where, and the two programs; ``attached`` ends it with its front."""

    home: Home
    runtime: Runtime
    options: LabOptions
    manifests: int
    store: Store
    kubelet: Child
    control: Child
    attached: bool


def start(launch: Launch, started: float) -> tuple[int, int]:
    """Forks the supervisor; returns its process id and the descriptor to read progress from.

    ``started`` is the monotonic time from which progress counts.
    Signals that end a command are blocked when this returns, for a caller who must first be able to end the cluster:
    ``release_signals`` lets them through.
    Raises MachineError ``already-running``.  The caller must be single-threaded.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        lock = launch.home.acquire()
    except BaseException:
        release_signals()
        raise
    reader, writer = os.pipe()
    front = os.getpid()
    pid = os.fork()
    if pid:
        os.close(writer)
        os.close(lock)
        return pid, reader
    os.close(reader)
    status = 3
    progress = Progress(writer, started)
    try:
        status = _supervise(launch, progress, front)
    except BaseException as error:  # noqa: BLE001 - the front must learn of it; the process ends here
        progress.failed(error)
    finally:
        launch.home.remove()
        os._exit(status)


def release_signals() -> None:
    """Lets the signals through that ``start`` has blocked."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _supervise(launch: Launch, progress: Progress, front: int) -> int:
    os.setsid()
    netns.name_process("swb-supervisor")
    _detach_output(launch.home.log / "supervisor.log")
    stop = _notice_signals()
    signature = launch.home.sign()
    listeners = _open_ports(launch)
    host = netns.current()
    alive, keep = os.pipe2(os.O_CLOEXEC)
    runtimes.enter(launch.runtime, os.getuid(), os.getgid())
    if launch.attached:
        netns.die_with_parent(signal.SIGTERM)
        if os.getppid() != front:
            return 3  # it has died before the kernel was asked to tell
    user = os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # init must not lose the word to end before it can hear it
    init = os.fork()
    if init == 0:
        os.close(keep)
        os.close(signature)
        _run_init(launch, progress, {n: s.fileno() for n, s in listeners.items()}, (host, user, alive))
    release_signals()
    os.close(alive)
    for listener in listeners.values():
        listener.close()
    return _wait_for(init, stop)


def _notice_signals() -> int:
    """From now on signals, those blocked so far included, wake whoever reads the descriptor that is returned."""
    stop, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
    release_signals()
    return stop


def _open_ports(launch: Launch) -> dict[str, socket.socket]:
    """Listening sockets of the host for the forwarded ports, told in ``state.json``."""
    options = launch.options
    wanted = (("http", options.http_port), ("https", options.https_port), (API, options.api_port))
    listeners = {name: _listen(port) for name, port in wanted if port}
    state = State(
        name=launch.options.name,
        runtime=launch.runtime.value,
        supervisor=os.getpid(),
        forwarded={name: s.getsockname()[1] for name, s in listeners.items()},
    )
    _write(launch.home.state, msgspec.json.encode(state))
    return listeners


def _wait_for(child: int, stop: int) -> int:
    """Waits for init; a signal to stop is passed on once, then by force."""
    deadline: float | None = None
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 3
        wait = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([stop], [], [], wait)
        if ready:
            numbers = set(os.read(stop, 4096))
            if deadline is None and numbers - {signal.SIGCHLD}:
                os.kill(child, signal.SIGTERM)
                deadline = time.monotonic() + 2 * _GRACE_SECONDS
        elif deadline is not None:
            os.kill(child, signal.SIGKILL)
            deadline = None


def _run_init(
    launch: Launch, progress: Progress, listeners: dict[str, int], descriptors: tuple[int, int, int]
) -> NoReturn:
    """Process 1: makes the namespaces, forks the two programs, collects the dead."""
    host, user, alive = descriptors
    status = 3
    try:
        netns.die_with_parent(signal.SIGKILL)
        netns.name_process("swb-init")
        os.setsid()
        netns.unshare(netns.CLONE_NEWNET | netns.CLONE_NEWNS | netns.CLONE_NEWIPC | netns.CLONE_NEWUTS)
        names = (lab.INTERNET, lab.CLOUD, *launch.options.client_names, *launch.options.node_names)
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        parts = Parts(
            home=str(launch.home.path),
            options=launch.options,
            manifests=launch.manifests,
            store=launch.store,
            runtime=launch.runtime,
            namespaces={name: netns.create() for name in names},
            listeners=listeners,
            host=host,
            user=user,
            channel=left.fileno(),
            progress=progress.descriptor,
            started=progress.started,
        )
        gc.collect()
        gc.freeze()  # the children share these pages
        other = replace(parts, channel=right.fileno())
        log = launch.home.log
        children = {
            _fork(launch.kubelet, parts, log / "kubelet.log", right): "kubelet",
            _fork(launch.control, other, log / "control.log", left): "control",
        }
        left.close()
        right.close()
        for descriptor in (host, *listeners.values()):
            os.close(descriptor)
        status = _reap(children, alive, progress)
    except BaseException as error:  # noqa: BLE001 - the front must learn of it; the process ends here
        progress.failed(error)
    finally:
        os._exit(status)


def _fork(child: Child, parts: Parts, log: Path, other_end: socket.socket) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 3
    try:
        other_end.close()
        netns.die_with_parent(signal.SIGKILL)
        netns.name_process(f"swb-{log.stem}")
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        release_signals()
        _detach_output(log)
        child(parts)
        status = 0
    except BaseException as error:  # noqa: BLE001 - the front must learn of it; the process ends here
        traceback.print_exc()
        Progress(parts.progress, parts.started).failed(error)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _reap(children: dict[int, str], alive: int, progress: Progress) -> int:
    """Process 1's only work: collects the dead, and ends everything when a part of the cluster has gone."""
    stop = _notice_signals()
    status = 0
    asked = told = False
    deadline: float | None = None
    while children and (deadline is None or time.monotonic() < deadline):
        ready, _, _ = select.select([stop, alive], [], [], None if deadline is None else deadline - time.monotonic())
        if alive in ready:
            return 3
        word = bool(ready) and bool(set(os.read(stop, 4096)) - {signal.SIGCHLD})
        for name, how in _ended(children):
            if asked or word:
                continue
            status = 3
            # The other one notices by itself, and may end before this is seen, or have more to say about the reason.
            deadline = deadline or time.monotonic() + _GRACE_SECONDS
            if how and not told:
                told = True
                progress.failed(RuntimeError(f"the process {name} of the cluster ended ({how})"))
        if word and not asked:
            asked = True
            deadline = deadline or time.monotonic() + _GRACE_SECONDS
            for pid in children:
                os.kill(pid, signal.SIGTERM)
    return status


def _ended(children: dict[int, str]) -> list[tuple[str, str]]:
    """Collects all the dead; (name, how) of those that are children of the cluster, removed from ``children``.

    ``how`` is empty for a process that has told its reason itself or ended well.
    """
    found = []
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            break
        name = children.pop(pid, None)
        if name is not None:
            found.append((name, f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else ""))
    return found


def _listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1, at ``port`` or, when that is taken, at a free one."""
    for candidate in (port, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", candidate))
        except OSError:
            listener.close()
            continue
        listener.listen(128)
        return listener
    raise OSError("no free port on 127.0.0.1")


def _detach_output(log: Path) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(null)
    os.close(file)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
