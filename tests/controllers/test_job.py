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
    return [(c["type"], c["reason"]) for c in found]


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
