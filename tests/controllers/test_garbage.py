import pytest


def kinds(cluster):
    return {kind: len(cluster.store.list(kind)[0]) for kind in ("Deployment", "ReplicaSet", "Pod")}


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_dependants_go_with_their_owner(cluster, policy):
    cluster.deployment("web", 3)
    cluster.settle()
    cluster.store.delete("Deployment", "default", "web", propagation_policy=policy)
    cluster.settle()
    assert kinds(cluster) == {"Deployment": 0, "ReplicaSet": 0, "Pod": 0}


def test_foreground_keeps_the_owner_until_the_last_dependant_has_gone(cluster):
    cluster.deployment("web", 2)
    cluster.settle()
    cluster.store.delete("Deployment", "default", "web", propagation_policy="Foreground")
    cluster.loop.run_until_settled()
    # Nobody has ended the pods yet.
    assert kinds(cluster) == {"Deployment": 1, "ReplicaSet": 1, "Pod": 2}
    assert all(p["metadata"].get("deletionTimestamp") for p in cluster.pods())


def test_orphans_stay(cluster):
    cluster.deployment("web", 2)
    cluster.settle()
    cluster.store.delete("Deployment", "default", "web", propagation_policy="Orphan")
    cluster.settle()
    assert kinds(cluster) == {"Deployment": 0, "ReplicaSet": 1, "Pod": 2}
    assert "ownerReferences" not in cluster.store.list("ReplicaSet")[0][0]["metadata"]


def owner(kind, name, uid, api_version="v1"):
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid}


def test_an_object_stays_while_one_of_its_owners_does(cluster):
    first, second = (cluster.create("ConfigMap", name) for name in ("a", "b"))
    references = [owner("ConfigMap", o["metadata"]["name"], o["metadata"]["uid"]) for o in (first, second)]
    made = cluster.create("ConfigMap", "child")
    made["metadata"]["ownerReferences"] = references
    cluster.store.update(made)
    cluster.settle()
    cluster.store.delete("ConfigMap", "default", "a")
    cluster.settle()
    assert cluster.store.find("ConfigMap", "default", "child")
    cluster.store.delete("ConfigMap", "default", "b")
    cluster.settle()
    assert cluster.store.find("ConfigMap", "default", "child") is None


@pytest.mark.parametrize(
    ("reference", "stays"),
    [
        (owner("ConfigMap", "never", "u-1"), False),
        (owner("Gadget", "custom", "u-2", "e.com/v1"), True),
    ],
)
def test_an_owner_that_never_was_counts_as_gone_unless_its_kind_is_unknown(cluster, reference, stays):
    made = cluster.create("ConfigMap", "child")
    made["metadata"]["ownerReferences"] = [reference]
    cluster.store.update(made)
    cluster.settle()
    assert bool(cluster.store.find("ConfigMap", "default", "child")) is stays


def test_a_namespace_goes_with_all_its_contents(simulated):
    from switchboard.api.admission import KubernetesAdmission

    cluster = simulated(admission=KubernetesAdmission())
    cluster.node("n1")
    cluster.create("Namespace", "x", namespace="")
    cluster.create("ConfigMap", "m", namespace="x")
    spec = {"containers": [{"name": "c", "image": "app:1"}]}
    cluster.create("Pod", "p", namespace="x", spec=spec)
    cluster.settle()
    cluster.store.delete("Namespace", "", "x")
    cluster.loop.run_until_settled()
    # The pod has its grace period; the namespace waits.
    assert cluster.store.find("ConfigMap", "x", "m") is None
    assert cluster.store.get("Namespace", "", "x")["status"]["phase"] == "Terminating"
    cluster.settle()
    assert cluster.store.find("Namespace", "", "x") is None
    assert cluster.store.list("Event", "x")[0] == []


def test_dependants_of_an_owner_that_was_replaced_by_one_of_its_name_go(cluster):
    cluster.deployment("web", 2)
    cluster.settle()
    assert len(cluster.pods(app="web")) == 2
    cluster.store.delete("Deployment", "default", "web")
    cluster.deployment("web", 1, labels={"app": "other"})
    cluster.settle()
    assert cluster.pods(app="web") == []
    assert len(cluster.pods(app="other")) == 1
