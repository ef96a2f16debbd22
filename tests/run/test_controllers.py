import asyncio
import runpy
from pathlib import Path

import pytest

from switchboard.api.admission import KubernetesAdmission
from switchboard.controllers._contract import (
    Controller,
    Create,
    Delete,
    IssueCertificate,
    Part,
    Plan,
    RecordEvent,
    Update,
    UpdateStatus,
    dirty,
    each,
)

_SIMULATED = runpy.run_path(str(Path(__file__).parents[1] / "controllers" / "simulated.py"))
SimulatedCluster = _SIMULATED["SimulatedCluster"]


def controller(reconcile, reads=("ConfigMap",), writes=("ConfigMap", "Secret"), name="test"):
    return Controller(name, frozenset(reads), frozenset(writes), reconcile)


def cluster_of(*controllers, **kwargs):
    return SimulatedCluster(controllers, **kwargs)


def test_a_controller_looks_at_everything_first_and_then_at_changes():
    seen = []

    def reconcile(snapshot, now):
        seen.append(None if snapshot.changed is None else sorted(snapshot.changed))
        return Plan()

    cluster = cluster_of(controller(reconcile))
    cluster.create("ConfigMap", "a")
    cluster.loop.run_until_settled()
    cluster.create("ConfigMap", "b")
    cluster.create("Secret", "not-read")
    cluster.loop.run_until_settled()
    cluster.loop.run_until_settled()
    assert seen == [None, [("ConfigMap", "default", "b")]]


def test_before_is_the_state_at_the_last_look():
    seen = []

    def reconcile(snapshot, now):
        if snapshot.changed:
            before = snapshot.before("ConfigMap", "default", "a")
            seen.append((before or {}).get("data"))
        return Plan()

    cluster = cluster_of(controller(reconcile))
    cluster.loop.run_until_settled()
    made = cluster.create("ConfigMap", "a", data={"n": "1"})
    cluster.loop.run_until_settled()
    for number in "23":
        made = cluster.store.update({**made, "data": {"n": number}})
    cluster.loop.run_until_settled()
    assert seen == [None, {"n": "1"}]


def secret(name, **meta):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default", **meta}}


def copier(decide):
    def reconcile(snapshot, now):
        return each("ConfigMap", dirty(snapshot, "ConfigMap"), lambda key: decide(snapshot, key))

    return controller(reconcile)


def test_operations_are_carried_out():
    def decide(snapshot, key):
        found = snapshot.get("ConfigMap", *key)
        if "labels" in found["metadata"]:
            return []
        return [
            Create(secret(key[1]), regarding=found),
            Update({**found, "metadata": {**found["metadata"], "labels": {"seen": "yes"}}}),
            Delete("Secret", "default", "old", regarding=found),
            RecordEvent(found, "Normal", "Looked", "at it"),
        ]

    cluster = cluster_of(copier(decide))
    cluster.create("Secret", "old")
    cluster.create("ConfigMap", "a")
    cluster.loop.run_until_settled()
    assert [s["metadata"]["name"] for s in cluster.store.list("Secret")[0]] == ["a"]
    assert cluster.store.get("ConfigMap", "default", "a")["metadata"]["labels"] == {"seen": "yes"}
    assert [(e["reason"], e["message"], e["source"]) for e in cluster.events()] == [
        ("SuccessfulCreate", "Created Secret: a", {"component": "test"}),
        ("SuccessfulDelete", "Deleted Secret: old", {"component": "test"}),
        ("Looked", "at it", {"component": "test"}),
    ]


def test_what_exists_and_what_is_gone_is_no_error():
    done = [Create(secret("a")), Create(secret("a")), Delete("Secret", "default", "b"), Update(secret("c"))]
    cluster = cluster_of(controller(lambda s, n: Plan((Part(("ConfigMap", "", ""), tuple(done)),))))
    cluster.loop.run_until_settled()
    assert cluster.loop.findings == ()


def test_a_status_follows_an_update_of_the_same_plan():
    def decide(snapshot, now):
        found = snapshot.get("Service", "default", "s")
        if found is None or found["metadata"].get("finalizers"):
            return Plan()
        held = {**found, "metadata": {**found["metadata"], "finalizers": ["e.com/x"]}}
        operations = (Update(held), UpdateStatus({**found, "status": {"loadBalancer": {"ingress": []}}}))
        return Plan((Part(("Service", "default", "s"), operations),))

    cluster = cluster_of(controller(decide, ["Service"], ["Service"]))
    cluster.create("Service", "s", spec={})
    cluster.loop.run_until_settled()
    found = cluster.store.get("Service", "default", "s")
    assert found["metadata"]["finalizers"] == ["e.com/x"]
    assert found["status"] == {"loadBalancer": {"ingress": []}}
    assert cluster.loop.findings == ()


def test_a_conflict_is_resolved_by_looking_again():
    rival = []

    def decide(snapshot, key):
        found = snapshot.get("ConfigMap", *key)
        if found.get("data"):
            return []
        if not rival:
            rival.append(cluster.store.update({**found, "metadata": {**found["metadata"], "labels": {"x": "y"}}}))
        return [Update({**found, "data": {"done": "yes"}})]

    cluster = cluster_of(copier(decide))
    cluster.create("ConfigMap", "a")
    cluster.loop.run_until_settled()
    found = cluster.store.get("ConfigMap", "default", "a")
    assert (found["data"], found["metadata"]["labels"]) == ({"done": "yes"}, {"x": "y"})
    assert cluster.loop.findings == ()


def test_one_broken_object_stops_no_other_and_is_tried_again_later():
    tries = []

    def decide(snapshot, key):
        if key[1] == "bad":
            tries.append(cluster.now)
            raise ValueError("odd")
        return [] if snapshot.get("ConfigMap", *key).get("data") else [
            Update({**snapshot.get("ConfigMap", *key), "data": {"done": "yes"}})
        ]  # fmt: skip

    cluster = cluster_of(copier(decide))
    cluster.create("ConfigMap", "bad")
    cluster.create("ConfigMap", "good")
    cluster.loop.run_until_settled()
    assert cluster.store.get("ConfigMap", "default", "good")["data"] == {"done": "yes"}
    (finding,) = cluster.loop.findings
    assert (finding.reference, finding.object) == ("controller-failed", "ConfigMap default/bad")
    assert "ValueError: odd" in finding.message
    for _ in range(3):
        cluster.wait(0.1)
    # 0.1 s, then 0.2 s: waiting doubles.
    assert len(tries) == 3
    assert [e["reason"] for e in cluster.events()] == ["FailedSync"]
    cluster.store.delete("ConfigMap", "default", "bad")


def test_a_broken_object_that_recovers_leaves_no_finding():
    broken = [True]

    def decide(snapshot, key):
        if broken:
            raise ValueError("odd")
        return []

    cluster = cluster_of(copier(decide))
    cluster.create("ConfigMap", "a")
    cluster.loop.run_until_settled()
    assert len(cluster.loop.findings) == 1
    broken.clear()
    cluster.wait(1)
    assert cluster.loop.findings == ()


def test_a_broken_controller_stops_no_other_and_misses_nothing():
    broken, seen = [True], []

    def bad(snapshot, now):
        if broken:
            raise ValueError("odd")
        seen.append(snapshot.changed and sorted(snapshot.changed))
        return Plan()

    looked = []
    good = controller(lambda snapshot, now: looked.append(1) or Plan(), name="good")
    cluster = cluster_of(controller(bad, name="bad"), good)
    cluster.loop.run_until_settled()
    cluster.create("ConfigMap", "a")
    cluster.loop.run_until_settled()
    assert len(looked) == 2
    assert "bad: ValueError: odd" in cluster.loop.findings[0].message
    broken.clear()
    cluster.wait(60)
    assert seen == [None]
    assert cluster.loop.findings == ()


def test_a_refused_creation_is_told_as_an_event():
    def decide(snapshot, key):
        found = snapshot.get("ConfigMap", *key)
        bad = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "default"}}
        return [Create(bad, regarding=found)]

    cluster = cluster_of(copier(decide))
    cluster.create("ConfigMap", "a")
    cluster.loop.run_until_settled()
    (event,) = cluster.events("FailedCreate")
    assert event["message"].startswith("Error creating: ")
    assert event["type"] == "Warning"


def test_the_first_operation_that_fails_ends_its_part():
    bad = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "default"}}
    plan = Plan((Part(("ConfigMap", "", "x"), (Create(bad), Create(secret("after")))),))
    cluster = cluster_of(controller(lambda s, n: plan))
    cluster.loop.run_until_settled()
    assert cluster.store.find("Secret", "default", "after") is None


def test_kinds_that_are_not_declared_are_not_written():
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}}
    cluster = cluster_of(controller(lambda s, n: Plan((Part(("ConfigMap", "", "x"), (Create(pod),)),))))
    cluster.loop.run_until_settled()
    assert cluster.store.find("Pod", "default", "p") is None
    assert "UndeclaredKindError" in cluster.loop.findings[0].message


def test_nothing_is_written_into_a_namespace_that_is_going():
    wanted = secret("late", namespace="x")
    cluster = cluster_of(
        controller(lambda s, n: Plan((Part(("ConfigMap", "", "x"), (Create(wanted),)),))),
        admission=KubernetesAdmission(),
    )
    cluster.create("Namespace", "x", namespace="")
    cluster.store.delete("Namespace", "", "x")
    cluster.loop.run_until_settled()
    assert cluster.loop.findings == ()


def test_an_effect_is_performed_and_its_result_written():
    wanted = IssueCertificate("default", "tls", ("a.example",), {})

    def decide(snapshot, now):
        key = ("Secret", "default", "tls")
        return Plan() if snapshot.get(*key) else Plan((Part(key, (wanted,)),))

    performed = []
    cluster = cluster_of(
        controller(decide, ["Secret"]),
        effects={IssueCertificate: lambda effect: performed.append(effect) or [Create(secret(effect.secret))]},
    )
    cluster.loop.run_until_settled()
    assert performed == [wanted]
    assert cluster.store.get("Secret", "default", "tls")
    lone = cluster_of(controller(decide, ["Secret"]))
    lone.loop.run_until_settled()
    assert "nothing here performs IssueCertificate" in lone.loop.findings[0].message


def test_a_part_can_ask_to_be_looked_at_later():
    seen = []

    def decide(snapshot, key):
        seen.append(cluster.now)
        return Part(("ConfigMap", *key), requeue_after=30 if len(seen) < 3 else None)

    cluster = cluster_of(copier(decide))
    start = cluster.now
    cluster.create("ConfigMap", "a")
    for _ in range(10):
        cluster.wait(10)
    assert [(moment - start).total_seconds() for moment in seen] == [10, 40, 70]


def test_controllers_that_fight_are_found_out():
    def flip(value, name):
        def decide(snapshot, key):
            found = snapshot.get("ConfigMap", *key)
            if (found.get("data") or {}).get("v") == value:
                return []
            return [Update({**found, "data": {"v": value}})]

        def reconcile(snapshot, now):
            return each("ConfigMap", dirty(snapshot, "ConfigMap"), lambda key: decide(snapshot, key))

        return controller(reconcile, name=name)

    cluster = cluster_of(flip("1", "one"), flip("2", "two"))
    cluster.create("ConfigMap", "a")
    with pytest.raises(RuntimeError, match="do not settle after 20 rounds: one"):
        cluster.loop.run_until_settled(20)


def test_a_forgotten_log_is_no_obstacle():
    from switchboard.api.storage import MemoryStorage

    seen = []

    def reconcile(snapshot, now):
        seen.append(snapshot.changed if snapshot.changed is None else len(snapshot.changed))
        return Plan()

    cluster = cluster_of(controller(reconcile), storage=MemoryStorage(log_limit=5))
    cluster.loop.run_until_settled()
    for number in range(30):
        cluster.create("ConfigMap", f"m{number}")
    cluster.loop.run_until_settled()
    assert seen == [None, None]


def test_the_task_wakes_on_a_change_and_ends_when_cancelled():
    seen = []

    def reconcile(snapshot, now):
        seen.append(sorted(snapshot.all("ConfigMap")))
        woken.set()
        return Plan()

    woken = asyncio.Event()
    cluster = cluster_of(controller(reconcile))

    async def story():
        task = asyncio.create_task(cluster.loop.run())
        await asyncio.wait_for(woken.wait(), 10)
        woken.clear()
        cluster.create("ConfigMap", "a")
        await asyncio.wait_for(woken.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert seen == [[], [("default", "a")]]


def test_a_generated_name_that_is_taken_is_drawn_again():
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "c-", "namespace": "default"}}

    def reconcile(snapshot, now):
        missing = 3 - len(snapshot.all("ConfigMap"))
        return each("Namespace", [("", "default")], lambda key: [Create(made)] * missing)

    cluster = cluster_of(controller(reconcile, reads=("Namespace", "ConfigMap")))
    # Each name is drawn twice.
    draws = iter([n // 10 % 20 for n in range(10_000)])
    cluster.store.randrange = lambda limit: next(draws) % limit
    cluster.loop.run_until_settled()
    assert len(cluster.store.list("ConfigMap")[0]) == 3
