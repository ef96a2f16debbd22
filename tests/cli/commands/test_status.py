"""``status`` says the same to people and programs."""

import json

import msgspec

from switchboard.base.findings import Finding


def test_text(run) -> None:
    done = run("status")
    assert done.code == 0
    assert done.out.startswith("cluster default: ready · runtime netns as root · 4 MiB (control 1, envoy 3)\n")
    assert "payments/app-v1" in done.out
    assert "switchboard down" in done.out


def test_pods_that_are_awaited_and_findings_show(run, machine) -> None:
    finding = Finding(reference="x", message="is not there", object="Ingress a/b", field="spec.tls", hint="Make it.")
    machine.facts = msgspec.structs.replace(machine.facts, ready=False, waiting=("a/b", "a/c"), findings=(finding,))
    out = run("status").out
    assert "starting, 2 pods not ready" in out
    assert "error: Ingress a/b: spec.tls: is not there\n  Make it.\n" in out


def test_json(run) -> None:
    done = run("status", "-o", "json")
    found = json.loads(done.out)
    assert (found["kind"], found["apiVersion"], found["ready"]) == ("ClusterStatus", "switchboard.dev/v1", True)
    assert (found["forwarded"], found["memory"]["envoy"]) == ({"https": 8443}, 3 << 20)


def test_no_cluster(run, machine) -> None:
    machine.running = False
    for output in ("text", "json"):
        done = run("status", "--name", "gone", "-o", output)
        assert (done.code, done.out) == (3, "")
        assert done.err == "error: No cluster gone is running.\n  Start one.\n"
