"""Logs of pods as Kubernetes tells them: lines of a file, chosen by time, number and size, and the ones to come.

In: the file that the kubelet keeps for a pod, and what is wanted.  Out: bytes of text.
Called by ``serve.pod_streams``.
Specification: PodLogOptions (v1); lines are those of CRI logging, ``TIME STREAM TAG TEXT``, or what a program writes by
itself, as Envoy its JSON with a member ``time``.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from switchboard.api.server.pod_requests import LogOptions

CHUNK: Final = 64 * 1024
# A line that never ends is given in parts of this size.
LONGEST: Final = 1024 * 1024
_CRI: Final = re.compile(rb"(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) (?:stdout|stderr) [FP](?: (.*))?", re.DOTALL)
_TIME: Final = re.compile(rb'"time":\s*"([^"]{1,64})"')
_NEWLINE: Final = b"\n"


class Line(msgspec.Struct, frozen=True):
    """One line: when, as text and as a moment, and what, without the line break."""

    stamp: bytes
    moment: datetime
    text: bytes


class LineReader:
    """Lines of bytes in any portions; a line without a time of its own has that of the line before."""

    def __init__(self, before: datetime) -> None:
        self._moment = before
        self._stamp = _written(before)
        self._rest = b""

    def feed(self, data: bytes) -> list[Line]:
        """The lines that ``data`` completes."""
        *whole, self._rest = (self._rest + data).split(_NEWLINE)
        if len(self._rest) > LONGEST:
            whole.append(self._rest)
            self._rest = b""
        return [self._line(raw) for raw in whole]

    def end(self) -> list[Line]:
        """What was left without a line break."""
        rest, self._rest = self._rest, b""
        return [self._line(rest)] if rest else []

    def _line(self, raw: bytes) -> Line:
        match = _CRI.fullmatch(raw)
        text = (match[2] or b"") if match else raw
        stamp = match[1] if match else b""
        if not match and raw.startswith(b"{"):
            named = _TIME.search(raw)
            stamp = named[1] if named else b""
        if stamp:
            try:
                moment = datetime.fromisoformat(stamp.decode("ascii"))
            except ValueError:
                moment = None
            if moment is not None and moment.tzinfo is not None:
                self._moment, self._stamp = moment, stamp
        return Line(self._stamp, self._moment, text)


class Printer:
    """Lines as a client gets them: with their times where asked, no more bytes than asked."""

    def __init__(self, options: LogOptions) -> None:
        self._timestamps = options.timestamps
        self._left = options.limit_bytes

    def full(self) -> bool:
        """Whether nothing more may be told."""
        return self._left == 0

    def __call__(self, line: Line) -> bytes:
        """The bytes of a line, cut at the limit."""
        shown = (line.stamp + b" " + line.text if self._timestamps else line.text) + _NEWLINE
        if self._left is not None:
            shown = shown[: self._left]
            self._left -= len(shown)
        return shown


class LogFile:
    """Follows one log file over its rotation: renamed and made anew, or emptied in place.

    Args:
        path: the file; the one before it is beside it as ``.log.1``.  Neither need exist.
        since: nothing older is told: it belongs to a pod that had the name before.
    """

    def __init__(self, path: Path, since: datetime) -> None:
        self._path = path
        self._reader = LineReader(since)
        self._since = since
        self._descriptor = -1

    def history(self, options: LogOptions, now: datetime) -> Iterator[Line]:
        """The lines that are there, as wanted; new ones come from ``more``."""
        start = self._since
        if options.since_seconds is not None:
            start = max(start, now - timedelta(seconds=min(options.since_seconds, 10**9)))
        if options.since is not None:
            start = max(start, options.since)
        lines = (line for line in self._all() if line.moment >= start)
        return iter(lines if options.tail_lines is None else deque(lines, options.tail_lines))

    def more(self) -> list[Line]:
        """Lines written since the last look, at most about ``CHUNK`` bytes."""
        data = self._read()
        if not data and self._replaced():
            self.close()
            data = self._read()
        return [line for line in self._reader.feed(data) if line.moment >= self._since]

    def end(self) -> list[Line]:
        """What the program left without a line break."""
        return self._reader.end()

    def skip(self) -> None:
        """Goes to the end of what is there."""
        for _ in self._all():
            pass

    def close(self) -> None:
        """Closes the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _all(self) -> Iterator[Line]:
        before = self._path.with_suffix(".log.1")
        try:
            with before.open("rb") as file:
                while data := file.read(CHUNK):
                    yield from self._reader.feed(data)
            yield from self._reader.end()
        except FileNotFoundError:
            pass
        while data := self._read():
            yield from self._reader.feed(data)

    def _read(self) -> bytes:
        if self._descriptor < 0:
            try:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return b""
        return os.read(self._descriptor, CHUNK)

    def _replaced(self) -> bool:
        """Whether the path leads to another file, or the file is shorter than what was read of it."""
        if self._descriptor < 0:
            return False
        here = os.fstat(self._descriptor)
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        same = (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
        return not same or there.st_size < os.lseek(self._descriptor, 0, os.SEEK_CUR)


def moment_of(text: str) -> datetime:
    """A Kubernetes time; the beginning of time for what is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _written(moment: datetime) -> bytes:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z").encode()
