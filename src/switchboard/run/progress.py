"""Progress of a start, from the cluster's processes to the person who waits: JSON lines through a pipe.

Each line is far below PIPE_BUF, so that several processes may write to one pipe (pipe(7)).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from switchboard.base.errors import SwitchboardError
from switchboard.cli.ports import Event


class Progress:
    """The writing end; telling somebody who no longer listens is not an error."""

    def __init__(self, descriptor: int, started: float) -> None:
        self.descriptor = descriptor
        self.started = started

    def step(self, text: str) -> None:
        """One thing has been done."""
        self._tell(Event(kind="step", text=text, seconds=self._seconds()))

    def ready(self) -> None:
        """The cluster answers."""
        self._tell(Event(kind="ready", seconds=self._seconds()))

    def failed(self, error: BaseException) -> None:
        """The start has failed and everything is being taken down."""
        if isinstance(error, SwitchboardError):
            event = Event(
                kind="failed",
                text=error.message[:1000],
                reference=error.reference,
                context=error.context[:500],
                hint=error.hint[:500],
                exit_code=error.exit_code,
            )
        else:
            event = Event(
                kind="failed",
                text=f"{type(error).__name__}: {error}"[:1000],
                reference="start-failed",
                hint="The logs in the runtime directory say more; please report this.",
            )
        self._tell(event)

    def _seconds(self) -> float:
        return time.monotonic() - self.started

    def _tell(self, event: Event) -> None:
        try:
            os.write(self.descriptor, msgspec.json.encode(event) + b"\n")
        except OSError:
            pass


def read(stream: BinaryIO) -> Iterator[Event]:
    """Events until the last writer has gone."""
    for line in stream:
        yield msgspec.json.decode(line, type=Event)
