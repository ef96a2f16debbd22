"""``demo`` shows start, cluster, path, requests and split, and ends what it has started."""

from __future__ import annotations

import msgspec
import pytest

from switchboard.cli.ports import Event
from switchboard.serve.tally import Tally


@pytest.fixture(autouse=True)
def authority(machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The authority's certificate is read like any other file."""
    monkeypatch.setattr(machine, "read_manifests", lambda paths, recursive: [(path, MANIFEST) for path in paths])


MANIFEST = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"


def measured(*statuses: int):
    """A measurement that saw nine pods of the released version to one of the candidate."""

    def measure(plan):
        counts = Tally()
        for number in range(plan.requests):
            version = "v2" if number % 10 == 0 else "v1"
            body = {"pod": f"app-{version}-0", "namespace": "payments", "service": f"payments/app-{version}"}
            counts.answer(statuses[number % len(statuses)], msgspec.json.encode(body), 0.001)
        return counts.measurement(plan.url, plan.requests, 1.0, "203.0.113.10")

    return measure


def test_all_parts_are_shown_and_it_ends_cleanly(run, machine) -> None:
    machine.measured = measured(200)
    done = run("demo", "--requests", "500", "--name", "show")
    assert done.code == 0, done.err
    order = ["runtime: netns as root", "ready after 1.25 s", "payments/app-v1", "The path of https://api.example.com/",
             "500 requests from an outside client", "What to try next", "nothing of it is left"]  # fmt: skip
    places = [done.out.index(words) for words in order]
    assert places == sorted(places)
    (_, name, client, plan) = next(call for call in machine.asked if call[0] == "measure")
    assert (name, client, plan.requests, plan.ca) == ("show", "client-1", 500, MANIFEST)
    (address,) = plan.addresses.values()
    assert address in {ip for port in machine.view("show").services for ip in port.load_balancer_ips}
    assert machine.starting.stopped


def test_errors_answered_are_a_finding(run, machine) -> None:
    machine.measured = measured(200, 503)
    assert run("demo", "--requests", "10").code == 1
    assert machine.starting.stopped


@pytest.mark.parametrize(("waiting", "code"), [(0, 0), (3, 3), (KeyboardInterrupt(), 0)])
def test_it_stays_when_asked_to(run, machine, waiting, code: int) -> None:
    machine.measured, machine.waiting = measured(200), waiting
    done = run("demo", "--requests", "10", "--stay")
    assert done.code == code
    assert "Ctrl-C ends the cluster." in done.out


def test_a_start_that_fails_is_ended(run, machine) -> None:
    machine.told = (Event(kind="failed", text="It broke.", reference="x"),)
    done = run("demo")
    assert (done.code, machine.starting.stopped) == (3, True)
    assert "It broke." in done.err
