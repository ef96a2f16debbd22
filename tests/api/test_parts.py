import pytest

from switchboard.api.errors import Conflict
from switchboard.api.parts import BINDING, EPHEMERAL_CONTAINERS, FINALIZE, RESIZE, STATUS, select
from switchboard.k8s.kinds import Kind, kind_of

POD, DEPLOYMENT, NAMESPACE = kind_of("v1", "Pod"), kind_of("apps/v1", "Deployment"), kind_of("v1", "Namespace")
CUSTOM = Kind(group="e.com", version="v1", kind="G", plural="gs", singular="g", custom=True, status_subresource=True)
OLD = {"metadata": {"name": "a", "labels": {"old": "1"}}, "spec": {"x": 1}, "status": {"y": 1}}
NEW = {"metadata": {"name": "a", "labels": {"new": "1"}, "managedFields": [1]}, "spec": {"x": 2}, "status": {"y": 2}}


def test_the_object_itself_leaves_its_status():
    found = select(DEPLOYMENT, {**NEW}, OLD, "")
    assert (found["spec"], found["status"], found["metadata"]) == ({"x": 2}, {"y": 1}, NEW["metadata"])


def test_the_status_leaves_the_spec_and_takes_metadata_of_built_in_kinds_only():
    found = select(DEPLOYMENT, {**NEW}, OLD, STATUS)
    assert (found["spec"], found["status"], found["metadata"]) == ({"x": 1}, {"y": 2}, NEW["metadata"])
    found = select(CUSTOM, {**NEW}, OLD, STATUS)
    assert (found["spec"], found["status"]) == ({"x": 1}, {"y": 2})
    assert found["metadata"] == {**OLD["metadata"], "managedFields": [1]}


def test_a_namespace_changes_its_finalizers_at_their_own_endpoint():
    sent = {"metadata": {}, "spec": {"finalizers": ["a"]}}
    assert select(NAMESPACE, {**sent}, OLD, "")["spec"] == {"x": 1}
    assert select(NAMESPACE, sent, OLD, FINALIZE)["spec"] == {"finalizers": ["a"]}


def test_a_binding_sets_the_node_once():
    bound = select(POD, {"spec": {"nodeName": "n", "x": 2}}, OLD, BINDING)
    assert bound["spec"] == {"x": 1, "nodeName": "n"}
    with pytest.raises(Conflict):
        select(POD, {"spec": {"nodeName": "m"}}, bound, BINDING)


def test_containers_are_attached_and_resized():
    old = {**OLD, "spec": {"containers": [{"name": "c", "image": "a"}]}}
    sent = {"spec": {"containers": [{"name": "c", "image": "b", "resources": {"r": 1}}], "ephemeralContainers": [2]}}
    assert select(POD, sent, old, EPHEMERAL_CONTAINERS)["spec"] == {**old["spec"], "ephemeralContainers": [2]}
    resized = select(POD, sent, old, RESIZE)["spec"]
    assert resized == {"containers": [{"name": "c", "image": "a", "resources": {"r": 1}}]}
