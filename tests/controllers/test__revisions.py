import pytest

from switchboard.controllers import _revisions

LABEL = "controller.kubernetes.io/hash"


@pytest.fixture
def cluster(simulated):
    """A store; the revisions are asked for by hand."""
    return simulated([])


def owner(cluster, image="app:1", name="db", **status):
    template = {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    found = cluster.store.find("StatefulSet", "default", name)
    if found is None:
        return cluster.create("StatefulSet", name, spec={"template": template})
    return {**cluster.change("StatefulSet", name, template=template), "status": status}


def past(cluster, obj):
    from switchboard.controllers._snapshot import Cache, Snapshot

    cache = Cache()
    for record in cluster.store.records("ControllerRevision"):
        cache.put("ControllerRevision", (record.namespace, record.name), record.object)
    return _revisions.history(Snapshot(cache, frozenset({"ControllerRevision"})), obj, LABEL)


def record(cluster, obj):
    """Carry out what the history wants; answers its numbers by name."""
    for operation in past(cluster, obj).operations:
        do = cluster.store.update if type(operation).__name__ == "Update" else cluster.store.create
        do(operation.object)
    return {r["metadata"]["name"]: r["revision"] for r in cluster.store.list("ControllerRevision")[0]}


def test_a_new_template_is_recorded_once(cluster):
    obj = owner(cluster)
    first = past(cluster, obj)
    assert record(cluster, obj) == {first.name: 1}
    again = past(cluster, obj)
    assert (again.name, again.digest, again.operations) == (first.name, first.digest, ())
    assert again.template(first.name) == obj["spec"]["template"]
    assert again.template("other") is None


def test_a_template_of_before_becomes_the_newest_again(cluster):
    obj = owner(cluster)
    first = past(cluster, obj).name
    record(cluster, obj)
    obj = owner(cluster, "app:2")
    second = past(cluster, obj).name
    assert record(cluster, obj) == {first: 1, second: 2}
    assert record(cluster, owner(cluster, "app:1")) == {first: 3, second: 2}


def test_a_name_that_is_taken_is_a_collision_until_the_count_grows(cluster):
    obj = owner(cluster)
    name = past(cluster, obj).name
    cluster.create("ControllerRevision", name, data={}, revision=1)
    assert past(cluster, obj).collision
    assert past(cluster, obj).operations == ()
    counted = past(cluster, {**obj, "status": {"collisionCount": 1}})
    assert not counted.collision
    assert counted.name != name


def test_the_oldest_that_nobody_uses_go(cluster):
    seen = []
    for number in range(5):
        obj = owner(cluster, f"app:{number}")
        seen.append(past(cluster, obj).name)
        record(cluster, obj)
    obj["spec"]["revisionHistoryLimit"] = 1
    doomed = _revisions.clean_up(obj, past(cluster, obj), [seen[0]])
    assert [operation.name for operation in doomed] == [seen[1], seen[2]]
