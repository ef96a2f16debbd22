import pytest

INDEX = "batch.kubernetes.io/job-completion-index"


def make(cluster, template, **spec):
    spec = {"parallelism": 1, "backoffLimit": 1, **spec, "template": template({"app": "j"}, restartPolicy="Never")}
    return cluster.create("Job", "j", spec=spec)


def end(cluster, phase="Succeeded"):
    """Let every running pod end."""
    for pod in cluster.pods(app="j"):
        if pod["status"]["phase"] == "Running":
            cluster.store.update_status({**pod, "status": {**pod["status"], "phase": phase}})
    cluster.settle()


def conditions(cluster):
    found = cluster.store.get("Job", "default", "j")["status"].get("conditions", [])
    return [(c["type"], c["reason"]) for c in found if c["type"] in ("Complete", "Failed")]


def status(cluster):
    return cluster.store.get("Job", "default", "j")["status"]


def started(cluster):
    """Completion indexes of the pods that run."""
    running = [p for p in cluster.pods(app="j") if p["status"]["phase"] == "Running"]
    return sorted(int(p["metadata"]["annotations"][INDEX]) for p in running)


def end_index(cluster, index, phase):
    for pod in cluster.pods(app="j"):
        mine = pod["metadata"]["annotations"][INDEX] == str(index)
        if mine and pod["status"]["phase"] == "Running":
            cluster.store.update_status({**pod, "status": {**pod["status"], "phase": phase}})
    cluster.settle()


def test_it_runs_pods_until_enough_have_succeeded(cluster, template):
    make(cluster, template, completions=3, parallelism=2)
    cluster.settle()
    assert len(cluster.pods(app="j")) == 2
    end(cluster)
    assert conditions(cluster) == []
    assert len(cluster.pods(app="j")) == 3
    end(cluster)
    assert conditions(cluster) == [("Complete", "CompletionsReached")]
    status = cluster.store.get("Job", "default", "j")["status"]
    assert (status["succeeded"], status["completionTime"]) == (3, "2026-11-23T12:00:00Z")


def test_failures_beyond_the_limit_end_it(cluster, template):
    make(cluster, template, completions=1)
    cluster.settle()
    end(cluster, "Failed")
    assert conditions(cluster) == []
    cluster.wait(10)
    end(cluster, "Failed")
    assert conditions(cluster) == [("Failed", "BackoffLimitExceeded")]


def test_a_deadline_ends_it_and_its_pods(cluster, template):
    make(cluster, template, completions=1, activeDeadlineSeconds=60)
    cluster.settle()
    cluster.wait(61)
    assert conditions(cluster) == [("Failed", "DeadlineExceeded")]
    assert cluster.pods(app="j") == []


def test_a_finished_job_goes_after_its_time_to_live(cluster, template):
    make(cluster, template, completions=1, ttlSecondsAfterFinished=30)
    cluster.settle()
    end(cluster)
    cluster.wait(29)
    assert cluster.store.find("Job", "default", "j")
    cluster.wait(2)
    assert cluster.store.find("Job", "default", "j") is None


def test_a_suspended_job_has_no_pods(cluster, template):
    make(cluster, template, completions=1, suspend=True)
    cluster.settle()
    assert cluster.pods(app="j") == []
    cluster.change("Job", "j", suspend=False)
    cluster.settle()
    assert len(cluster.pods(app="j")) == 1


def test_failures_are_followed_by_ever_longer_pauses(cluster, template):
    make(cluster, template, completions=2, backoffLimit=9)
    cluster.settle()
    for pause in (10, 20, 40):
        end(cluster, "Failed")
        cluster.wait(pause - 1)
        assert "active" not in status(cluster)
        cluster.wait(1)
        assert status(cluster)["active"] == 1
    end(cluster, "Succeeded")
    assert status(cluster)["active"] == 1


def test_the_end_is_announced_and_stated_when_the_last_pod_has_gone(cluster, template):
    make(cluster, template, completions=1, parallelism=1, activeDeadlineSeconds=5)
    cluster.settle()
    cluster.agent = False
    cluster.wait(5)
    assert [c["type"] for c in status(cluster)["conditions"]] == ["FailureTarget"]
    assert status(cluster)["terminating"] == 1
    cluster.agent = True
    cluster.settle()
    assert [c["type"] for c in status(cluster)["conditions"]] == ["FailureTarget", "Failed"]
    assert "terminating" not in status(cluster)


def test_suspending_and_resuming_is_told(cluster, template):
    make(cluster, template, completions=1, activeDeadlineSeconds=60)
    cluster.settle()
    cluster.change("Job", "j", suspend=True)
    cluster.wait(120)
    assert cluster.pods(app="j") == []
    assert "startTime" not in status(cluster)
    assert [(c["type"], c["status"], c["reason"]) for c in status(cluster)["conditions"]] == [
        ("Suspended", "True", "JobSuspended")
    ]
    cluster.change("Job", "j", suspend=False)
    cluster.settle()
    assert [(c["type"], c["status"], c["reason"]) for c in status(cluster)["conditions"]] == [
        ("Suspended", "False", "JobResumed")
    ]
    assert status(cluster)["startTime"] == "2026-11-23T12:02:00Z"
    assert cluster.events("Suspended")
    assert cluster.events("Resumed")


def test_restarts_in_place_count_as_failures(cluster, template):
    spec = template({"app": "j"}, restartPolicy="OnFailure")
    cluster.create("Job", "j", spec={"completions": 1, "backoffLimit": 2, "template": spec})
    cluster.settle()
    (pod,) = cluster.pods(app="j")
    for restarts, ended in ((1, []), (2, [("Failed", "BackoffLimitExceeded")])):
        pod = cluster.store.get("Pod", "default", pod["metadata"]["name"])
        pod["status"]["containerStatuses"] = [{"name": "c", "restartCount": restarts}]
        cluster.store.update_status(pod)
        cluster.settle()
        assert conditions(cluster) == ended


def test_indexed_each_index_has_its_pod(cluster, template):
    make(cluster, template, completions=3, parallelism=2, completionMode="Indexed")
    cluster.settle()
    assert started(cluster) == [0, 1]
    pod = next(p for p in cluster.pods(app="j") if p["metadata"]["annotations"][INDEX] == "1")
    assert pod["metadata"]["name"].startswith("j-1-")
    assert pod["metadata"]["labels"][INDEX] == "1"
    assert pod["spec"]["hostname"] == "j-1"
    field = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
    assert pod["spec"]["containers"][0]["env"] == [{"name": "JOB_COMPLETION_INDEX", "valueFrom": field}]
    end_index(cluster, 1, "Succeeded")
    assert started(cluster) == [0, 2]
    assert (status(cluster)["completedIndexes"], status(cluster)["succeeded"]) == ("1", 1)
    end_index(cluster, 2, "Succeeded")
    end_index(cluster, 0, "Succeeded")
    assert status(cluster)["completedIndexes"] == "0-2"
    assert conditions(cluster) == [("Complete", "CompletionsReached")]


def test_indexed_an_index_stays_done_when_its_pod_is_gone(cluster, template):
    make(cluster, template, completions=3, parallelism=1, completionMode="Indexed")
    cluster.settle()
    end_index(cluster, 0, "Succeeded")
    for pod in cluster.pods(app="j"):
        if pod["status"]["phase"] == "Succeeded":
            cluster.store.delete("Pod", "default", pod["metadata"]["name"])
    cluster.settle()
    assert started(cluster) == [1]
    assert (status(cluster)["completedIndexes"], status(cluster)["succeeded"]) == ("0", 1)


def test_indexed_a_failed_index_is_tried_again(cluster, template):
    make(cluster, template, completions=2, parallelism=2, completionMode="Indexed", backoffLimit=3)
    cluster.settle()
    end_index(cluster, 1, "Failed")
    assert started(cluster) == [0]
    cluster.wait(10)
    assert started(cluster) == [0, 1]


@pytest.mark.parametrize(
    ("extra", "reason"), [({}, "FailedIndexes"), ({"maxFailedIndexes": 0}, "MaxFailedIndexesExceeded")]
)
def test_indexed_failures_limited_for_each_index(cluster, template, extra, reason):
    limits = {"backoffLimitPerIndex": 0, "backoffLimit": 100, **extra}
    make(cluster, template, completions=2, parallelism=2, completionMode="Indexed", **limits)
    cluster.settle()
    end_index(cluster, 1, "Failed")
    if not extra:
        assert conditions(cluster) == []
        assert started(cluster) == [0]
        end_index(cluster, 0, "Succeeded")
        assert status(cluster)["completedIndexes"] == "0"
    assert status(cluster)["failedIndexes"] == "1"
    assert conditions(cluster) == [("Failed", reason)]


def test_pods_that_leave_hold_their_place_where_only_failed_ones_are_replaced(cluster, template):
    for policy, count in (("Failed", 1), ("TerminatingOrFailed", 2)):
        make(cluster, template, completions=1, podReplacementPolicy=policy)
        cluster.settle()
        (pod,) = [p for p in cluster.pods(app="j") if not p["metadata"].get("deletionTimestamp")]
        cluster.agent = False
        cluster.store.delete("Pod", "default", pod["metadata"]["name"])
        cluster.settle()
        assert len(cluster.pods(app="j")) == count
        cluster.agent = True
        cluster.store.delete("Job", "default", "j")
        cluster.settle()
