"""The runtime directory of one embedded cluster: who runs it, its sockets, logs and generated files.

``lock`` answers whether a cluster is alive: every process of it inherits one flock(2), so it is free only when the
last one has gone; a record lock on the same file, held by the supervisor alone, tells its process id.  A directory
whose lock is free is a leftover and is removed by the next start or by ``down``.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import struct
from collections.abc import Mapping
from pathlib import Path

from switchboard.base.errors import MachineError

_FLOCK = "hhqqi4x"  # struct flock on 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid


class Home:
    """Paths of a cluster's runtime directory (mode 0700)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = path / "lock"
        self.control = path / "control.sock"
        self.enter = path / "enter.sock"
        self.log = path / "log"
        self.state = path / "state.json"
        self.authority = path / "ca.crt"
        self.gateways = path / "gateway"

    def acquire(self) -> int:
        """Takes the lock and empties the directory of a dead cluster's files.

        Returns the descriptor that holds the lock; raises MachineError ``already-running``.
        """
        self._make()
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            owner = self.owner()
            raise MachineError(
                "already-running",
                "A cluster is already running" + (f" (process {owner})." if owner else "."),
                context=str(self.path),
                hint="Look at it with `switchboard status`, stop it with `switchboard down`.",
            ) from None
        self._sweep()
        for directory in (self.log, self.gateways):
            directory.mkdir(mode=0o700)
        return descriptor

    def sign(self) -> int:
        """Records this process as the supervisor, for as long as it lives; returns the descriptor to keep."""
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CLOEXEC)
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
        return descriptor

    def owner(self) -> int:
        """Process id of the supervisor as the kernel knows it, 0 when there is none."""
        try:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return 0
        try:
            query = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
            kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, query))
            return 0 if kind == fcntl.F_UNLCK else pid
        finally:
            os.close(descriptor)

    def alive(self) -> bool:
        """Whether any process of a cluster is left."""
        try:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def wait_until_dead(self) -> None:
        """Returns when the last process of the cluster has gone."""
        try:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.close(descriptor)

    def remove(self) -> bool:
        """Removes the directory; true when there was one."""
        there = self.path.exists()
        shutil.rmtree(self.path, ignore_errors=True)
        try:
            self.path.parent.rmdir()
        except OSError:
            pass  # other clusters are there
        return there

    def _make(self) -> None:
        for directory in (self.path.parent, self.path):
            try:
                directory.mkdir(mode=0o700, exist_ok=True)
                found = directory.lstat()
            except OSError as error:
                raise MachineError(
                    "no-runtime-directory",
                    f"The runtime directory cannot be made: {error.strerror}.",
                    context=str(directory),
                    hint="Name another one with SWITCHBOARD_RUNTIME_DIR.",
                ) from error
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
                raise MachineError(
                    "unsafe-runtime-directory",
                    "The runtime directory belongs to somebody else or others may write to it.",
                    context=str(directory),
                    hint="Remove it, or name another one with SWITCHBOARD_RUNTIME_DIR.",
                )

    def _sweep(self) -> None:
        for entry in self.path.iterdir():
            if entry == self.lock:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def locate(environment: Mapping[str, str], uid: int, name: str) -> Home:
    """The home of cluster ``name``: SWITCHBOARD_RUNTIME_DIR, else the system's or the user's runtime directory."""
    chosen = environment.get("SWITCHBOARD_RUNTIME_DIR")
    if chosen:
        base = Path(chosen)
    elif uid == 0:
        base = Path("/run/switchboard")
    elif environment.get("XDG_RUNTIME_DIR") and Path(environment["XDG_RUNTIME_DIR"]).is_dir():
        base = Path(environment["XDG_RUNTIME_DIR"], "switchboard")
    else:
        base = Path(f"/tmp/switchboard-{uid}")
    return Home(base.absolute() / name)
