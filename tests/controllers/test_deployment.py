import pytest


def sizes(cluster):
    return sorted(
        (rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"], rs["spec"]["replicas"])
        for rs in cluster.store.list("ReplicaSet")[0]
    )


def conditions(cluster, name="web"):
    status = cluster.store.get("Deployment", "default", name)["status"]
    return {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}


def test_a_deployment_becomes_scheduled_and_ready_pods(cluster):
    cluster.deployment("web", 20)
    cluster.settle()
    pods = cluster.pods(app="web")
    assert len(pods) == 20
    assert {p["spec"]["nodeName"] for p in pods} == {"n1", "n2", "n3"}
    status = cluster.store.get("Deployment", "default", "web")["status"]
    assert {k: v for k, v in status.items() if k != "conditions"} == {
        "observedGeneration": 1,
        "replicas": 20,
        "updatedReplicas": 20,
        "readyReplicas": 20,
        "availableReplicas": 20,
    }
    assert conditions(cluster) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }


@pytest.mark.parametrize(
    ("surge", "unavailable", "most", "fewest"),
    [(1, 0, 5, 4), (0, 1, 4, 3), ("25%", "25%", 5, 3), ("100%", 0, 8, 4), (0, "50%", 4, 2)],
)
def test_a_rolling_update_stays_within_its_bounds(cluster, template, surge, unavailable, most, fewest):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    cluster.deployment("web", 4, strategy=strategy)
    cluster.settle()
    cluster.change("Deployment", "web", template=template({"app": "web"}, "app:2"))
    seen = []
    for _ in range(60):
        moved = cluster.loop.step()
        wanted = sum(rs["spec"]["replicas"] for rs in cluster.store.list("ReplicaSet")[0])
        ready = [p for p in cluster.pods(app="web") if p.get("status", {}).get("podIP")
                 and not p["metadata"].get("deletionTimestamp")]  # fmt: skip
        seen.append((wanted, len(ready)))
        if not moved and not cluster.act():
            break
    else:
        raise AssertionError("the rollout does not end")
    assert max(total for total, _ in seen) == most
    assert min(ready for _, ready in seen) == fewest
    assert sizes(cluster) == [("1", 0), ("2", 4)]
    assert {p["spec"]["containers"][0]["image"] for p in cluster.pods(app="web")} == {"app:2"}


def test_recreate_starts_the_new_version_when_the_last_old_pod_is_gone(cluster, template):
    cluster.deployment("web", 2, strategy={"type": "Recreate"})
    cluster.settle()
    cluster.change("Deployment", "web", template=template({"app": "web"}, "app:2"))
    cluster.loop.run_until_settled()
    # The old pods are terminating: nobody has ended them yet.
    assert sizes(cluster) == [("1", 0)]
    cluster.settle()
    assert sizes(cluster) == [("1", 0), ("2", 2)]


def test_going_back_reuses_the_old_replica_set_with_a_new_revision(cluster, template):
    for image in ("app:1", "app:2", "app:1"):
        if cluster.store.find("Deployment", "default", "web"):
            cluster.change("Deployment", "web", template=template({"app": "web"}, image))
        else:
            cluster.deployment("web", 2, image)
        cluster.settle()
    assert sizes(cluster) == [("2", 0), ("3", 2)]
    annotations = cluster.store.get("Deployment", "default", "web")["metadata"]["annotations"]
    assert annotations["deployment.kubernetes.io/revision"] == "3"


def test_scaling_keeps_the_version_and_marks_the_replica_set(cluster):
    cluster.deployment("web", 2)
    cluster.settle()
    for replicas in (5, 0, 3):
        cluster.change("Deployment", "web", replicas=replicas)
        cluster.settle()
        assert sizes(cluster) == [("1", replicas)]
        assert len(cluster.pods(app="web")) == replicas


def test_a_paused_deployment_scales_but_does_not_roll(cluster, template):
    cluster.deployment("web", 2)
    cluster.settle()
    cluster.change("Deployment", "web", paused=True, template=template({"app": "web"}, "app:2"), replicas=3)
    cluster.settle()
    assert sizes(cluster) == [("1", 3)]
    cluster.change("Deployment", "web", paused=False)
    cluster.settle()
    assert sizes(cluster) == [("1", 0), ("2", 3)]


def test_a_size_changed_during_a_stuck_rollout_is_shared_in_proportion(cluster, template):
    cluster.deployment("web", 10, strategy={"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}})
    cluster.settle()
    cluster.agent = False
    cluster.change("Deployment", "web", template=template({"app": "web"}, "bad:1"))
    cluster.settle()
    assert sizes(cluster) == [("1", 8), ("2", 5)]
    cluster.change("Deployment", "web", replicas=15)
    cluster.settle()
    # 18 pods in the proportion 8 : 5.
    assert sizes(cluster) == [("1", 11), ("2", 7)]


def test_a_rollout_without_progress_times_out_and_recovers(cluster, template):
    cluster.deployment("web", 2, progressDeadlineSeconds=30)
    cluster.settle()
    cluster.agent = False
    cluster.change("Deployment", "web", template=template({"app": "web"}, "app:2"))
    cluster.settle()
    assert conditions(cluster)["Progressing"] == ("True", "ReplicaSetUpdated")
    cluster.wait(29)
    assert conditions(cluster)["Progressing"][1] == "ReplicaSetUpdated"
    cluster.wait(2)
    assert conditions(cluster)["Progressing"] == ("False", "ProgressDeadlineExceeded")
    cluster.agent = True
    cluster.settle()
    assert conditions(cluster)["Progressing"] == ("True", "NewReplicaSetAvailable")


def test_old_replica_sets_beyond_the_history_are_deleted(cluster, template):
    cluster.deployment("web", 1, revisionHistoryLimit=1)
    cluster.settle()
    for version in (2, 3, 4):
        cluster.change("Deployment", "web", template=template({"app": "web"}, f"app:{version}"))
        cluster.settle()
    assert sizes(cluster) == [("3", 0), ("4", 1)]


def test_an_event_tells_each_step(cluster):
    cluster.deployment("web", 2)
    cluster.settle()
    name = cluster.store.list("ReplicaSet")[0][0]["metadata"]["name"]
    assert [e["message"] for e in cluster.events("ScalingReplicaSet")] == [
        f"Scaled up replica set {name} from 0 to 2"
    ]
    assert len(cluster.events("SuccessfulCreate")) == 2
    assert len(cluster.events("Scheduled")) == 2


def test_min_ready_seconds_hold_a_rollout_back(cluster):
    cluster.deployment("web", 2, minReadySeconds=10)
    cluster.settle()
    assert cluster.store.get("Deployment", "default", "web")["status"].get("availableReplicas") is None
    cluster.wait(11)
    assert cluster.store.get("Deployment", "default", "web")["status"]["availableReplicas"] == 2


def test_the_new_replica_set_bears_the_cause_and_its_earlier_revisions(cluster, template):
    cluster.deployment("web", 1)
    cluster.settle()
    for image in ("app:2", "app:1"):
        cluster.change("Deployment", "web", template=template({"app": "web"}, image))
        cluster.settle()
    made = cluster.store.get("Deployment", "default", "web")
    made["metadata"]["annotations"]["kubernetes.io/change-cause"] = "back to 1"
    cluster.store.update(made)
    cluster.settle()
    newest = max(
        (rs["metadata"]["annotations"] for rs in cluster.store.list("ReplicaSet")[0]),
        key=lambda a: int(a["deployment.kubernetes.io/revision"]),
    )
    assert newest["deployment.kubernetes.io/revision"] == "3"
    assert newest["deployment.kubernetes.io/revision-history"] == "1"
    assert newest["kubernetes.io/change-cause"] == "back to 1"


def test_a_name_that_another_replica_set_has_is_not_used(simulated, template):
    from switchboard.controllers import deployment, replicaset

    cluster = simulated([deployment.CONTROLLER, replicaset.CONTROLLER])
    made = cluster.deployment("web", 1)
    name = deployment._name(made)
    other = {"selector": {"matchLabels": {"app": "other"}}, "replicas": 0, "template": template({"app": "other"})}
    cluster.create("ReplicaSet", name, spec=other)
    cluster.settle()
    assert cluster.store.get("Deployment", "default", "web")["status"]["collisionCount"] == 1
    names = [rs["metadata"]["name"] for rs in cluster.store.list("ReplicaSet")[0]]
    assert len(names) == 2
    assert len(cluster.pods(app="web")) == 1


def test_of_two_equal_replica_sets_one_stays_the_newest(cluster):
    for name in ("x", "y"):
        cluster.deployment(name, 1, labels={"app": "web"})
    cluster.settle()
    cluster.store.delete("Deployment", "default", "x", propagation_policy="Orphan")
    cluster.settle()
    assert [rs["metadata"]["ownerReferences"][0]["name"] for rs in cluster.store.list("ReplicaSet")[0]] == ["y", "y"]
    assert len(cluster.pods(app="web")) == 1
