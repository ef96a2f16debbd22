"""Run a program: bounded in time and output, without a shell, in another network namespace where asked.

In go arguments, bytes for its standard input and limits; out come its exit code and output, or a ``MachineError``.
Called by the appliers only: this is the one module that imports subprocess.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import selectors
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

from switchboard.apply.netns import entered, setns
from switchboard.base.errors import MachineError

_CHUNK = 1 << 16


class Completed(msgspec.Struct, frozen=True):
    """How a program ended; texts are decoded leniently."""

    code: int
    stdout: str
    stderr: str


def run(
    arguments: Sequence[str],
    *,
    stdin: bytes = b"",
    seconds: float = 30.0,
    most_bytes: int = 1 << 28,
    netns: int | None = None,
) -> Completed:
    """Run ``arguments`` to its end, whatever its exit code.

    ``netns`` is a file descriptor of the network namespace in which the program runs, None for this one.
    Raises MachineError: ``no-program`` when it is missing, ``program-slow`` after ``seconds``, ``program-loud``
    beyond ``most_bytes`` of output (it is killed in both cases), ``no-namespace`` when the namespace is out of reach.
    """
    deadline = time.monotonic() + seconds
    process = _start(arguments) if netns is None else _start_in(netns, arguments)
    with process:
        try:
            out, err = _exchange(process, stdin, deadline, most_bytes)
        except BaseException:
            process.kill()
            raise
    return Completed(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


def _start(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
    except FileNotFoundError as error:
        raise MachineError(
            "no-program", f"The program {arguments[0]} is not installed.", hint=f"Install {arguments[0]}."
        ) from error
    except OSError as error:
        raise MachineError("no-program", f"The program {arguments[0]} cannot be started: {error.strerror}.") from error


def _start_in(netns: int, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start from a thread that has moved to the namespace and ends at once, so that nothing has to move back."""
    started: list[subprocess.Popen[bytes]] = []
    failed: list[BaseException] = []

    def enter() -> None:
        try:
            try:
                setns(netns)
            except OSError as error:
                reason = os.strerror(error.errno or 0)
                raise MachineError("no-namespace", f"The network namespace cannot be entered: {reason}.") from error
            started.append(_start(arguments))
        except BaseException as error:  # noqa: BLE001 - handed over to the caller's thread as it is
            failed.append(error)

    thread = threading.Thread(target=enter, name="setns")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return started[0]


def _exchange(process: subprocess.Popen[bytes], data: bytes, deadline: float, most: int) -> tuple[bytes, bytes]:
    """Write and read until the program has closed its outputs and ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    texts: dict[object, bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}
    left = memoryview(data)
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            selector.register(stream, selectors.EVENT_READ)
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise _too_slow(process)
            for entry, _ in ready:
                if entry.fileobj is process.stdin:
                    left = _write(process.stdin, left)
                    if not left:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                    continue
                chunk = os.read(entry.fd, _CHUNK)
                texts[entry.fileobj] += chunk
                if not chunk:
                    selector.unregister(entry.fileobj)
                if sum(map(len, texts.values())) > most:
                    raise MachineError("program-loud", f"{_name(process)} wrote more than {most} bytes.")
    try:
        process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise _too_slow(process) from error
    return bytes(texts[process.stdout]), bytes(texts[process.stderr])


def _write(stream: IO[bytes], data: memoryview) -> memoryview:
    """What is left to write; nothing when the program reads no more."""
    try:
        return data[os.write(stream.fileno(), data[:_CHUNK]) :] if data else data
    except BlockingIOError:
        return data
    except BrokenPipeError:
        return data[:0]


def _name(process: subprocess.Popen[bytes]) -> str:
    arguments = process.args
    return str(arguments[0]) if isinstance(arguments, (list, tuple)) else str(arguments)


def _too_slow(process: subprocess.Popen[bytes]) -> MachineError:
    return MachineError("program-slow", f"{_name(process)} did not end in time.")


class Running:
    """A program that goes on: wait for its end in an event loop, end it politely or by force."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Process id, as seen from this process."""
        return self._process.pid

    async def wait(self) -> int:
        """The exit code (negative: the signal), once it has ended."""
        descriptor = os.pidfd_open(self._process.pid)
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        loop.add_reader(descriptor, _settle, ended)
        try:
            await ended
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
        return self._process.wait()

    async def terminate(self, grace_seconds: float) -> None:
        """SIGTERM, after the grace period SIGKILL; returns when it has ended."""
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self.wait(), grace_seconds)
        except TimeoutError:
            self._process.kill()
            self._process.wait()


class Session(Running):
    """A program that somebody talks to: its ends of streams, or of the one terminal.

    ``stdin``, ``stdout`` and ``stderr`` are descriptors for the caller to use and close, -1 where there is none.
    With a terminal ``stdin`` and ``stdout`` are both its master.
    """

    def __init__(self, process: subprocess.Popen[bytes], streams: tuple[int, int, int]) -> None:
        super().__init__(process)
        self.stdin, self.stdout, self.stderr = streams

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Sends a signal to the program and what it has started, as far as that stayed in its session's group."""
        # The group keeps the number of its leader as long as a member lives; without one there is nobody to hit.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def resize(self, columns: int, rows: int) -> None:
        """Sets the size of its terminal, each below 65536; without a terminal nothing happens."""
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.stdout, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def converse(
    arguments: Sequence[str], *, netns: int, environment: Mapping[str, str], stdin: bool, terminal: bool
) -> Session:
    """Start ``arguments`` in a network namespace, in a session of its own, with pipes or with a terminal.

    Without ``stdin`` it reads nothing (with a terminal: what nobody types).  ``environment`` is all that it gets;
    the program is looked up on the PATH in it.  The thread of the caller is in the namespace for the moment of the
    start.  Raises FileNotFoundError, PermissionError or another OSError of the start.
    """
    ours, theirs = _terminal() if terminal else _pipes(stdin)
    try:
        with entered(netns):
            process = subprocess.Popen(
                arguments,
                stdin=theirs[0],
                stdout=theirs[1],
                stderr=theirs[2],
                env=dict(environment),
                start_new_session=True,
                preexec_fn=_take_terminal if terminal else None,
            )
    except BaseException:
        for descriptor in ours:
            if descriptor >= 0:
                os.close(descriptor)
        raise
    finally:
        for descriptor in {*theirs}:
            os.close(descriptor)
    return Session(process, ours)


def _pipes(stdin: bool) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """(our ends, the program's ends) of its three streams."""
    theirs_in, ours_in = os.pipe2(os.O_CLOEXEC) if stdin else (os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), -1)
    ours_out, theirs_out = os.pipe2(os.O_CLOEXEC)
    ours_err, theirs_err = os.pipe2(os.O_CLOEXEC)
    return (ours_in, ours_out, ours_err), (theirs_in, theirs_out, theirs_err)


def _terminal() -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    master, slave = os.openpty()
    return (os.dup(master), master, -1), (slave, slave, slave)


def _take_terminal() -> None:
    """In the child: standard input becomes the terminal that its session is controlled by (tty_ioctl(4))."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def spawn(arguments: Sequence[str], *, netns: int, output: Path) -> Running:
    """Start ``arguments`` in a network namespace; both outputs are appended to a file of mode 0600.

    For a single-threaded caller: it is in that namespace itself for the moment of the start.
    Raises MachineError ``no-program``.
    """
    log = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        with entered(netns):
            return Running(subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
    except OSError as error:
        raise MachineError("no-program", f"The program {arguments[0]} cannot be started: {error.strerror}.") from error
    finally:
        os.close(log)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
