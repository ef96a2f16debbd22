from datetime import timedelta, timezone

import pytest


def cron_job(cluster, template, schedule="*/5 * * * *", **spec):
    job = {"template": template({"app": "j"}, restartPolicy="Never")}
    rest = {"metadata": {"labels": {"team": "x"}}, "spec": job}
    return cluster.create("CronJob", "c", spec={"schedule": schedule, "jobTemplate": rest, **spec})


def jobs(cluster):
    return sorted(j["metadata"]["name"] for j in cluster.store.list("Job")[0])


def finish(cluster, phase="Succeeded"):
    """End every pod of every Job."""
    for pod in cluster.pods(app="j"):
        if pod["status"]["phase"] == "Running":
            cluster.store.update_status({**pod, "status": {**pod["status"], "phase": phase}})
    cluster.settle()


def status(cluster):
    return cluster.store.get("CronJob", "default", "c").get("status", {})


def messages(cluster, reason):
    return [(e["type"], e["message"]) for e in cluster.events(reason)]


def test_a_job_starts_when_its_moment_comes(cluster, template):
    made = cron_job(cluster, template)
    cluster.settle()
    assert jobs(cluster) == []
    cluster.wait(299)
    assert jobs(cluster) == []
    cluster.wait(1)
    minutes = int(cluster.now.timestamp()) // 60
    assert jobs(cluster) == [f"c-{minutes}"]
    job = cluster.store.get("Job", "default", f"c-{minutes}")
    assert job["metadata"]["labels"] == {"team": "x"}
    assert job["metadata"]["annotations"] == {
        "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-11-23T12:05:00Z"
    }
    assert job["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert len(cluster.pods(app="j")) == 1
    assert [ref["name"] for ref in status(cluster)["active"]] == [f"c-{minutes}"]
    assert status(cluster)["lastScheduleTime"] == "2026-11-23T12:05:00Z"
    assert ("Normal", f"Created job c-{minutes}") in messages(cluster, "SuccessfulCreate")
    finish(cluster)
    assert "active" not in status(cluster)
    assert status(cluster)["lastSuccessfulTime"] == "2026-11-23T12:05:00Z"
    assert messages(cluster, "SawCompletedJob") == [("Normal", f"Saw completed job: c-{minutes}, condition: Complete")]


def test_of_several_missed_moments_only_the_last_is_made_up_for(cluster, template):
    cron_job(cluster, template)
    cluster.now += timedelta(minutes=23)
    cluster.settle()
    assert status(cluster)["lastScheduleTime"] == "2026-11-23T12:20:00Z"
    assert len(jobs(cluster)) == 1
    assert messages(cluster, "TooManyMissedTimes") == []


def test_people_are_told_of_more_than_a_hundred_missed_moments(cluster, template):
    cluster.settle()
    cron_job(cluster, template, "* * * * *")
    cluster.now += timedelta(minutes=102)
    cluster.settle()
    assert [kind for kind, _ in messages(cluster, "TooManyMissedTimes")] == ["Warning"]
    assert len(jobs(cluster)) == 1


def test_a_moment_older_than_the_deadline_is_not_made_up_for(cluster, template):
    cron_job(cluster, template, startingDeadlineSeconds=60)
    cluster.now += timedelta(minutes=7)
    cluster.settle()
    assert jobs(cluster) == []
    cluster.wait(180)
    assert status(cluster)["lastScheduleTime"] == "2026-11-23T12:10:00Z"


def test_suspended_ones_start_nothing(cluster, template):
    cron_job(cluster, template, suspend=True)
    cluster.wait(600)
    assert jobs(cluster) == []
    cluster.change("CronJob", "c", suspend=False)
    cluster.settle()
    assert len(jobs(cluster)) == 1


@pytest.mark.parametrize(("policy", "running"), [("Allow", 2), ("Forbid", 1), ("Replace", 1)])
def test_concurrency(cluster, template, policy, running):
    cron_job(cluster, template, concurrencyPolicy=policy)
    cluster.wait(300)
    first = jobs(cluster)
    cluster.wait(300)
    assert len(jobs(cluster)) == running
    assert (first[0] in jobs(cluster)) == (policy != "Replace")
    told = {"Forbid": "JobAlreadyActive", "Replace": "SuccessfulDelete"}.get(policy)
    assert not told or messages(cluster, told)
    finish(cluster)
    # What was held back starts now.
    assert len([ref["name"] for ref in status(cluster).get("active", [])]) == (1 if policy == "Forbid" else 0)


def test_history_is_limited(cluster, template):
    cron_job(cluster, template, successfulJobsHistoryLimit=2, failedJobsHistoryLimit=1)
    for _ in range(4):
        cluster.wait(300)
        finish(cluster)
    assert len(jobs(cluster)) == 2
    cluster.change("CronJob", "c", successfulJobsHistoryLimit=0)
    cluster.settle()
    assert jobs(cluster) == []


def test_a_job_of_somebody_else_is_told_and_counted(cluster, template):
    made = cron_job(cluster, template)
    cluster.settle()
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "c", "controller": True}
    owner["uid"] = made["metadata"]["uid"]
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "by-hand", "namespace": "default",
           "ownerReferences": [owner]}, "spec": {"template": template({"app": "j"})}}  # fmt: skip
    cluster.store.create(job)
    cluster.settle()
    assert [ref["name"] for ref in status(cluster)["active"]] == ["by-hand"]
    assert messages(cluster, "UnexpectedJob")[0][0] == "Warning"
    cluster.store.delete("Job", "default", "by-hand")
    cluster.settle()
    assert messages(cluster, "MissingJob") == [("Normal", "Active job went missing: by-hand")]
    assert "active" not in status(cluster)


@pytest.mark.parametrize(
    ("spec", "reason"), [({"schedule": "61 * * * *"}, "UnparseableSchedule"), ({"timeZone": "Mars"}, "UnknownTimeZone")]
)
def test_what_cannot_be_read_is_told(cluster, template, spec, reason):
    cluster.settle()
    cron_job(cluster, template, **spec)
    cluster.wait(600)
    assert jobs(cluster) == []
    assert [kind for kind, _ in messages(cluster, reason)] == ["Warning"]


def test_zones_come_from_the_settings(simulated, template):
    east = timezone(timedelta(hours=5, minutes=30))
    cluster = simulated(settings={"time-zones": {"Asia/Kolkata": east}.get})
    cluster.node("n1")
    cron_job(cluster, template, "0 18 * * *", timeZone="Asia/Kolkata")
    cluster.wait(1800)
    (job,) = cluster.store.list("Job")[0]
    when = job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]
    assert when == "2026-11-23T18:00:00+05:30"
