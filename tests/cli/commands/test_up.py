"""``up`` starts nothing when a manifest is wrong, and ends what it has started whatever goes wrong then."""

from __future__ import annotations

import pytest

from switchboard.base.errors import MachineError
from switchboard.base.findings import Finding
from switchboard.cli.ports import Event, RefusedError

SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: 80
"""


def starts(machine) -> list:
    return [call for call in machine.asked if call[0] == "start"]


def test_flags_describe_the_lab(run, machine) -> None:
    machine.texts = [("web.yaml", SERVICE)]
    done = run("up", "-f", "web.yaml", "-R", "--nodes", "5", "--zones", " a, b,,", "--name", "try-1",
               "--http-port", "0", "--https-port", "9443", "--no-host-link", "-d")  # fmt: skip
    assert done.code == 0, done.err
    (_, options, manifests, attached) = starts(machine)[0]
    assert (options.nodes, options.zones, options.name) == (5, ("a", "b"), "try-1")
    assert (options.http_port, options.https_port, options.host_link) == (0, 9443, False)
    assert (len(manifests), attached) == (1, False)
    assert machine.asked[0] == ("read", ("web.yaml",), True)
    for words in ("runtime: netns as root", "3 nodes", "ready after 1.25 s", "What to try next"):
        assert words in done.out
    assert not machine.starting.stopped


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("apiVersion: v1\nkind: [\n", "bad.yaml:3:1"),
        ("apiVersion: v1\nkind: Sevrice\nmetadata:\n  name: web\n", "bad.yaml:2:1"),
        (SERVICE.replace("port: 80", "port: 800000"), "bad.yaml:7:5"),
        (SERVICE.replace("  name: web", "  name: Web_1"), "bad.yaml:4:3"),
    ],
)
def test_a_wrong_manifest_is_told_with_its_place_and_nothing_starts(run, machine, text: str, place: str) -> None:
    machine.texts = [("bad.yaml", text)]
    done = run("up", "-f", "bad.yaml")
    assert done.code == 2
    assert f"{place}: error: " in done.err
    assert "nothing has been started" in done.err
    assert starts(machine) == []


def test_files_without_objects_are_wrong_usage(run, machine) -> None:
    machine.texts = [("empty.yaml", "---\n# nothing\n")]
    done = run("up", "-f", "empty.yaml")
    assert (done.code, starts(machine)) == (2, [])
    assert "no object in these files. (empty.yaml)" in done.err


def test_what_the_cluster_refuses_is_told_one_by_one(run, machine) -> None:
    findings = (Finding(reference="refused", message="no such namespace", object="Service shop/web"),)
    machine.refuse = RefusedError(findings)
    done = run("up")
    assert done.code == 2
    assert "error: Service shop/web: no such namespace" in done.err
    assert "1 manifest is refused; nothing has been started." in done.err


def test_a_machine_that_refuses(run, machine) -> None:
    machine.refuse = MachineError("no-namespaces", "No namespaces here.", hint="Allow them.")
    done = run("up")
    assert (done.code, done.err) == (3, "error: No namespaces here.\n  Allow them.\n")


@pytest.mark.parametrize(
    "words", [("--nodes", "0"), ("--name", "a/b"), ("--name", ""), ("--name", "x" * 41), ("extra",)]
)
def test_wrong_usage(run, machine, words: tuple[str, ...]) -> None:
    assert run("up", *words).code == 2
    assert machine.asked == []


@pytest.mark.parametrize(
    ("told", "waiting", "code", "says"),
    [
        ((KeyboardInterrupt(),), 0, 0, "ending the cluster"),
        ((Event(kind="ready"),), KeyboardInterrupt(), 0, "ending the cluster"),
        ((Event(kind="failed", text="It broke.", reference="x"),), 0, 3, "error: It broke."),
        ((Event(kind="failed", text="Bad file.", reference="x", exit_code=2),), 0, 2, "error: Bad file."),
        ((), 0, 3, "The cluster ended while it was starting."),
    ],
)
def test_whatever_goes_wrong_the_cluster_is_ended(run, machine, told, waiting, code: int, says: str) -> None:
    machine.told, machine.waiting = told, waiting
    done = run("up")
    assert done.code == code
    assert says in done.out + done.err
    assert machine.starting.stopped


def test_in_the_foreground_its_end_is_the_end(run, machine) -> None:
    machine.waiting = 3
    done = run("up")
    assert done.code == 3
    assert done.out.endswith("Ctrl-C ends the cluster.\n")
    assert starts(machine)[0][3]
