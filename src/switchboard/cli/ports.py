"""What commands need of the machine, as protocols: the composition root (``run``) implements them.

Commands know these types and renderers, nothing of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from switchboard.base.errors import UsageError
from switchboard.base.findings import Finding
from switchboard.compile.lab import LabOptions
from switchboard.k8s.manifests import Manifest
from switchboard.serve.outside import RequestPlan
from switchboard.serve.tally import Measurement
from switchboard.view.model import View


class RefusedError(UsageError):
    """Manifests that the cluster does not take, with the reasons."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        count = f"{len(findings)} manifest{'s are' if len(findings) > 1 else ' is'}"
        super().__init__("manifests-refused", f"{count} refused; nothing has been started.")
        self.findings = findings


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Progress of a start: ``kind`` is step, ready or failed; ``seconds`` counts from the beginning."""

    kind: str
    text: str = ""
    seconds: float = 0.0
    reference: str = ""
    context: str = ""
    hint: str = ""
    exit_code: int = 3


class ApiOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the API server runs alone: where it keeps everything, where it listens, whose tokens it takes.

    Each token is one of an administrator (group system:masters).
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 6443
    tokens: tuple[str, ...] = ()
    service_cidrs: tuple[str, ...] = ("10.96.0.0/12",)


class ClusterStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="kind", tag="ClusterStatus"):
    """A running cluster; ``forwarded`` maps http, https and api to ports of 127.0.0.1, ``memory`` processes to bytes.

    ``memory`` is each process's proportional share (PSS), so that shared pages count once.
    """

    api_version: str = "switchboard.dev/v1"
    name: str
    runtime: str
    ready: bool
    supervisor: int
    directory: str
    authority: str
    forwarded: dict[str, int]
    reachable: bool
    memory: dict[str, int]
    objects: dict[str, int]
    waiting: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


class Starting(Protocol):
    """A cluster that is coming up, or is up and belongs to this command.

    ``interrupted`` says that a person has asked for its end; it is on its way, and what waits for it returns or fails.
    """

    interrupted: bool

    def events(self) -> Iterator[Event]:
        """Progress, until ready or failed."""

    def wait(self) -> int:
        """Blocks until the cluster has ended; its exit code."""

    def stop(self) -> None:
        """Ends it and waits until nothing is left."""


class Machine(Protocol):
    """The machine and the embedded clusters on it."""

    def runtime(self) -> str:
        """The runtime that will be used; raises MachineError when there is none."""

    def start(self, options: LabOptions, manifests: Sequence[Manifest], *, attached: bool) -> Starting:
        """Starts a cluster; ``attached`` ends it together with this process.

        Raises MachineError, and RefusedError before anything is started.
        """

    def stop(self, name: str) -> bool:
        """Ends a cluster and removes leftovers; false when there was nothing."""

    def status(self, name: str) -> ClusterStatus:
        """Raises MachineError ``not-running``."""

    def view(self, name: str) -> View:
        """The facts of a running cluster, without private keys; raises MachineError ``not-running``."""

    def measure(
        self, name: str, client: str, plan: RequestPlan, progress: Callable[[int, int], None] | None
    ) -> Measurement:
        """Sends requests from an outside client of a running cluster."""

    def execute(self, name: str, namespace: str, arguments: Sequence[str]) -> int:
        """Runs a program in a network namespace of a running cluster; its exit code."""

    def serve_api(self, options: ApiOptions, ready: Callable[[str, Path], None]) -> int:
        """Serves the Kubernetes API until it is told to stop; ``ready`` gets its address and the kubeconfig."""

    def read_manifests(self, paths: Sequence[str], recursive: bool) -> list[tuple[str, str]]:
        """(file name, text) of files, directories and ``-``; raises UsageError."""


def to_json(value: Any) -> str:
    """Indented JSON for programs."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
