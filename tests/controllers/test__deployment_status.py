from datetime import UTC, datetime

from switchboard.controllers._deployment_status import status_of

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def deployment(**extra):
    spec = {"replicas": 2, "progressDeadlineSeconds": 60, "strategy": {"rollingUpdate": {"maxUnavailable": 1}}}
    meta = {"name": "d", "generation": 3}
    return {"metadata": meta, "spec": {**spec, **extra.get("spec", {})}, **extra.get("more", {})}


def replica_set(name, replicas, ready):
    status = {"replicas": replicas, "readyReplicas": ready, "availableReplicas": ready}
    return {"metadata": {"name": name}, "spec": {"replicas": replicas}, "status": status}


def conditions(status):
    return {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}


def test_a_first_look_counts_and_progresses():
    status, wait = status_of(deployment(), replica_set("new", 2, 1), [replica_set("old", 1, 1)], NOW)
    assert {k: v for k, v in status.items() if k != "conditions"} == {
        "observedGeneration": 3,
        "replicas": 3,
        "updatedReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "unavailableReplicas": 1,
    }
    assert conditions(status) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "ReplicaSetUpdated"),
    }
    assert wait == 60


def test_below_the_minimum_it_is_not_available():
    status, _ = status_of(deployment(), replica_set("new", 2, 0), [], NOW)
    assert conditions(status)["Available"] == ("False", "MinimumReplicasUnavailable")


def test_the_same_look_again_changes_nothing():
    first, _ = status_of(deployment(), replica_set("new", 2, 1), [], NOW)
    later = NOW.replace(second=30)
    second, wait = status_of(deployment(more={"status": first}), replica_set("new", 2, 1), [], later)
    assert (second, wait) == (first, 30)


def test_without_a_deadline_there_is_no_progress_condition():
    status, _ = status_of(deployment(spec={"progressDeadlineSeconds": 2**31 - 1}), replica_set("new", 2, 2), [], NOW)
    assert "Progressing" not in conditions(status)
