import pytest

from switchboard.api import errors
from switchboard.api.store import BINDING, FINALIZE, kind_named


def events(store, since=0):
    return [(e.type, e.kind, e.name) for e in store.events(since)]


class TestCreate:
    def test_the_server_sets_identity_and_time(self, store, config_map):
        made = store.create(config_map(data={"a": "1"}))
        assert made == {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {
                "name": "m",
                "namespace": "default",
                "uid": "00000000-0000-0000-0000-000000000001",
                "creationTimestamp": "2026-11-23T12:00:00Z",
                "resourceVersion": "1",
            },
            "data": {"a": "1"},
        }
        assert store.get("ConfigMap", "default", "m") == made

    def test_the_callers_object_is_left_alone(self, store, config_map):
        sent = config_map()
        store.create(sent)
        assert "uid" not in sent["metadata"]

    def test_what_is_answered_is_not_what_is_stored(self, store, config_map):
        store.create(config_map(data={"a": "1"}))["data"]["a"] = "changed"
        store.get("ConfigMap", "default", "m")["data"]["a"] = "changed"
        assert store.get("ConfigMap", "default", "m")["data"] == {"a": "1"}

    def test_a_name_is_taken_once(self, store, config_map):
        store.create(config_map())
        with pytest.raises(errors.AlreadyExists):
            store.create(config_map())

    def test_a_status_is_dropped_where_it_is_a_subresource(self, store, deployment):
        made = store.create({**deployment(), "status": {"replicas": 4}})
        assert "status" not in made
        assert made["metadata"]["generation"] == 1

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"metadata": {"namespace": "default"}}, errors.Invalid),
            ({"metadata": {"name": "m"}}, errors.BadRequest),
            ({"kind": "Nonsense"}, errors.NotFound),
            ({"metadata": {"name": "m", "namespace": "default", "resourceVersion": "5"}}, errors.ServerFault),
        ],
    )
    def test_what_cannot_be_created_changes_nothing(self, store, config_map, change, error):
        with pytest.raises(error):
            store.create({**config_map(), **change})
        assert store.resource_version == 0


class TestUpdate:
    def test_an_update_keeps_identity_and_counts_versions(self, store, deployment):
        made = store.create(deployment())
        changed = store.update({**made, "spec": {**made["spec"], "replicas": 5}})
        assert changed["metadata"]["uid"] == made["metadata"]["uid"]
        assert changed["metadata"]["generation"] == 2
        assert changed["metadata"]["resourceVersion"] == "2"

    def test_a_stale_version_is_a_conflict(self, store, config_map):
        made = store.create(config_map())
        store.update(config_map(data={"a": "1"}))
        with pytest.raises(errors.Conflict, match="the object has been modified"):
            store.update({**made, "data": {"a": "2"}})
        assert store.get("ConfigMap", "default", "m")["data"] == {"a": "1"}

    def test_another_uid_is_a_conflict(self, store, config_map):
        store.create(config_map())
        with pytest.raises(errors.Conflict, match="UID"):
            store.update(config_map(metadata={"uid": "other"}))

    def test_an_update_without_effect_is_no_change(self, store, config_map):
        made = store.create(config_map(data={"a": "1"}))
        assert store.update(config_map(data={"a": "1"})) == made
        assert store.resource_version == 1

    def test_status_and_spec_are_written_apart(self, store, deployment):
        made = store.create(deployment())
        both = {**made, "spec": {**made["spec"], "replicas": 9}, "status": {"replicas": 1}}
        after = store.update_status(both)
        assert (after["spec"]["replicas"], after["status"]) == (1, {"replicas": 1})
        assert after["metadata"]["generation"] == 1
        after = store.update({**after, "spec": {**made["spec"], "replicas": 2}, "status": {"replicas": 7}})
        assert (after["spec"]["replicas"], after["status"]) == (2, {"replicas": 1})

    def test_an_unknown_object_is_not_found_or_created(self, store, config_map):
        with pytest.raises(errors.NotFound):
            store.update(config_map())
        assert store.update(config_map(), create=True)["metadata"]["name"] == "m"

    def test_a_binding_sets_the_node_once(self, store):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "a"}, "spec": {"x": 1}}
        made = store.create(pod)
        bound = store.update({**made, "spec": {"nodeName": "n1", "x": 2}}, subresource=BINDING)
        assert bound["spec"] == {"x": 1, "nodeName": "n1"}
        with pytest.raises(errors.Conflict, match="already assigned"):
            store.update({**bound, "spec": {"nodeName": "n2"}}, subresource=BINDING)


class TestDelete:
    def test_a_deleted_object_is_gone_and_watchers_see_its_last_state(self, store, config_map):
        store.create(config_map(data={"a": "1"}))
        store.delete("ConfigMap", "default", "m")
        assert store.find("ConfigMap", "default", "m") is None
        last = store.events(1)[0]
        assert (last.type, last.object["data"], last.object["metadata"]["resourceVersion"]) == (
            "DELETED",
            {"a": "1"},
            "2",
        )

    def test_a_finalizer_holds_it_until_the_last_is_removed(self, store, config_map):
        store.create(config_map(metadata={"finalizers": ["e.com/a", "e.com/b"]}))
        marked = store.delete("ConfigMap", "default", "m")
        assert marked["metadata"]["deletionTimestamp"] == "2026-11-23T12:00:00Z"
        assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
        with pytest.raises(errors.Invalid):
            store.update(config_map(metadata={"finalizers": ["e.com/a", "e.com/c"]}))
        store.update(config_map(metadata={"finalizers": ["e.com/a"]}))
        assert store.find("ConfigMap", "default", "m") is not None
        store.update(config_map())
        assert store.find("ConfigMap", "default", "m") is None

    def test_deleting_again_changes_nothing(self, store, config_map):
        store.create(config_map(metadata={"finalizers": ["e.com/a"]}))
        first = store.delete("ConfigMap", "default", "m")
        assert store.delete("ConfigMap", "default", "m") == first

    def test_the_generation_grows_with_a_marked_deletion(self, store, deployment):
        store.create(deployment(finalizers=["e.com/a"]))
        assert store.delete("Deployment", "default", "d")["metadata"]["generation"] == 2

    @pytest.mark.parametrize("precondition", [{"uid": "other"}, {"resource_version": "99"}])
    def test_preconditions_must_hold(self, store, config_map, precondition):
        store.create(config_map())
        with pytest.raises(errors.Conflict):
            store.delete("ConfigMap", "default", "m", **precondition)
        assert store.find("ConfigMap", "default", "m")

    @pytest.mark.parametrize(
        ("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")]
    )
    def test_a_policy_leaves_the_object_to_the_garbage_collector(self, store, config_map, policy, finalizer):
        store.create(config_map())
        marked = store.delete("ConfigMap", "default", "m", propagation_policy=policy)
        assert marked["metadata"]["finalizers"] == [finalizer]

    def test_a_scheduled_pod_has_its_grace_period(self, store, clock):
        meta = {"name": "p", "namespace": "a"}
        spec = {"nodeName": "n1", "terminationGracePeriodSeconds": 30}
        store.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        marked = store.delete("Pod", "a", "p")
        assert marked["metadata"]["deletionTimestamp"] == "2026-11-23T12:00:30Z"
        assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
        assert store.delete("Pod", "a", "p", grace_period_seconds=5)["metadata"]["deletionGracePeriodSeconds"] == 5
        store.delete("Pod", "a", "p", grace_period_seconds=0)
        assert store.find("Pod", "a", "p") is None

    def test_an_unscheduled_pod_goes_at_once(self, store):
        store.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "a"}, "spec": {}})
        store.delete("Pod", "a", "p")
        assert store.find("Pod", "a", "p") is None

    def test_a_namespace_waits_for_its_finalize(self, cluster_store):
        cluster_store.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})
        marked = cluster_store.delete("Namespace", "", "x")
        assert marked["status"] == {"phase": "Terminating"}
        ended = {**marked, "spec": {"finalizers": []}}
        assert cluster_store.update(ended)["spec"] == {"finalizers": ["kubernetes"]}
        cluster_store.update(ended, subresource=FINALIZE)
        assert cluster_store.find("Namespace", "", "x") is None


class TestList:
    def test_selectors_narrow_a_list_and_it_says_its_version(self, store, config_map):
        for name, app in (("a", "web"), ("b", "db"), ("c", "web")):
            store.create(config_map(name, metadata={"labels": {"app": app}}))
        store.create(config_map("d", "other", metadata={"labels": {"app": "web"}}))
        found, version = store.list("ConfigMap", "default", "app=web", "metadata.name!=c")
        assert [o["metadata"]["name"] for o in found] == ["a"]
        assert version == 4
        assert len(store.list("ConfigMap")[0]) == 4

    def test_a_version_of_the_future_times_out(self, store):
        with pytest.raises(errors.ServerTimeout):
            store.list("ConfigMap", resource_version="5")
        with pytest.raises(errors.BadRequest):
            store.list("ConfigMap", resource_version="x")
        assert store.list("ConfigMap", resource_version="0") == ([], 0)


def test_a_dry_run_answers_and_leaves_no_trace(store, config_map):
    with store.transaction(dry_run=True):
        assert store.create(config_map())["metadata"]["resourceVersion"] == "1"
    assert (store.resource_version, store.find("ConfigMap", "default", "m")) == (0, None)


def test_a_failed_transaction_takes_back_all_its_writes(store, config_map):
    def twice():
        with store.transaction():
            store.create(config_map())
            store.create(config_map())

    with pytest.raises(errors.AlreadyExists):
        twice()
    assert events(store) == []


def test_claims_belong_to_one_holder(store):
    store.claim("port", "1", "me")
    assert store.claimed("port", "1") == "me"
    store.disclaim("port", "1")
    assert store.claimed("port", "1") is None


def test_a_name_without_group_means_the_core_kind():
    assert kind_named("Event").group == ""
    with pytest.raises(errors.NotFound):
        kind_named("Nonsense")
