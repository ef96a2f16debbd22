"""A machine for commands that does as each test says and writes down what it was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from switchboard.base.errors import MachineError
from switchboard.cli import program
from switchboard.cli.ports import ClusterStatus, Event
from switchboard.view.model import View

VIEW = Path(__file__).parents[1] / "cases" / "trace" / "payments-view.json"
READY = (Event(kind="step", text="3 nodes", seconds=0.2), Event(kind="ready", seconds=1.25))


class FakeStarting:
    """Tells and waits as it is told to; a KeyboardInterrupt there is a person's, which raises nothing."""

    def __init__(self, told: Sequence[Event | BaseException], waiting: BaseException | int) -> None:
        self._told, self._waiting = told, waiting
        self.stopped = self.interrupted = False

    def events(self) -> Iterator[Event]:
        for event in self._told:
            if isinstance(event, KeyboardInterrupt):
                self.interrupted = True
                return
            if isinstance(event, BaseException):
                raise event
            yield event

    def wait(self) -> int:
        if isinstance(self._waiting, KeyboardInterrupt):
            self.interrupted = True
            return 0
        if isinstance(self._waiting, BaseException):
            raise self._waiting
        return self._waiting

    def stop(self) -> None:
        self.stopped = True


class FakeMachine:
    """``asked`` lists the calls; ``texts`` are the manifests, ``running`` the clusters that there are."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.texts: list[tuple[str, str]] = []
        self.running = True
        self.refuse: BaseException | None = None
        self.told: Sequence[Event | BaseException] = READY
        self.waiting: BaseException | int = 0
        self.exit_code = 0
        self.starting: FakeStarting | None = None
        self.measured: Any = None
        self.facts = ClusterStatus(
            name="default", runtime="netns as root", ready=True, supervisor=4711, directory="/run/x",
            authority="/run/x/ca.crt", forwarded={"https": 8443}, reachable=True,
            memory={"envoy": 3 << 20, "control": 1 << 20}, objects={"Pod": 2},
        )  # fmt: skip

    def runtime(self) -> str:
        return "netns as root"

    def start(self, options: Any, manifests: Any, *, attached: bool) -> FakeStarting:
        self.asked.append(("start", options, tuple(manifests), attached))
        if self.refuse is not None:
            raise self.refuse
        self.starting = FakeStarting(self.told, self.waiting)
        return self.starting

    def stop(self, name: str) -> bool:
        self.asked.append(("stop", name))
        return self.running

    def _cluster(self, name: str) -> None:
        if not self.running:
            raise MachineError("not-running", f"No cluster {name} is running.", hint="Start one.")

    def status(self, name: str) -> ClusterStatus:
        self._cluster(name)
        return self.facts

    def view(self, name: str) -> View:
        self._cluster(name)
        return msgspec.json.decode(VIEW.read_bytes(), type=View)

    def measure(self, name: str, client: str, plan: Any, progress: Any) -> Any:
        self.asked.append(("measure", name, client, plan))
        return self.measured(plan)

    def execute(self, name: str, namespace: str, arguments: Sequence[str]) -> int:
        self.asked.append(("execute", name, namespace, arguments))
        return self.exit_code

    def serve_api(self, options: Any, ready: Any) -> int:
        self.asked.append(("serve_api", options))
        ready("https://127.0.0.1:1", options.data_dir / "kubeconfig")
        return 0

    def read_manifests(self, paths: Sequence[str], recursive: bool) -> list[tuple[str, str]]:
        self.asked.append(("read", tuple(paths), recursive))
        return self.texts


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine()


@pytest.fixture
def run(machine: FakeMachine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command line over the machine; its exit code and both outputs."""
    monkeypatch.setenv("COLUMNS", "200")

    def line(*words: str) -> SimpleNamespace:
        code = program.main(machine, words)
        said = capsys.readouterr()
        return SimpleNamespace(code=code, out=said.out, err=said.err)

    return line
