"""Logs of pods: one file each in the runtime directory, bounded, the one before kept.

Stand-ins write lines through ``write``, each with its time, stream and a full-line mark as container runtimes write
them (Kubernetes CRI logging).  Programs of pods append to the same path by themselves and are only bounded.
Called by the kubelet; read by whoever shows logs.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

MOST_BYTES = 8 * 2**20


class BoundedLog:
    """A log file that stays below a size, with the one before it kept as ``.log.1``."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self.path = path
        self._most = most_bytes
        self._descriptor = -1
        self._written = 0

    @classmethod
    def of_pod(cls, directory: Path, namespace: str, name: str) -> BoundedLog:
        """The log of a pod in the directory of logs."""
        return cls(directory / f"{namespace}_{name}.log")

    def write(self, line: str) -> None:
        """Appends one line; a line break or other control character in it is written as an escape."""
        if self._descriptor < 0:
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        text = line if line.isprintable() else line.encode("unicode_escape").decode()
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        self._written += os.write(self._descriptor, f"{now} stdout F {text}\n".encode())
        if self._written > self._most:
            self.path.replace(self.path.with_suffix(".log.1"))
            self.close()

    def bound(self) -> None:
        """Empties a file that a program appends to when it has grown too large; its content goes to the one before."""
        try:
            if self.path.stat().st_size <= self._most:
                return
        except FileNotFoundError:
            return
        with open(self.path, "rb") as full, open(self.path.with_suffix(".log.1"), "wb", opener=_private) as kept:
            full.seek(-self._most, os.SEEK_END)
            kept.write(full.read())
        os.truncate(self.path, 0)

    def close(self) -> None:
        """Closes the file; the next line opens a new one."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor, self._written = -1, 0


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
