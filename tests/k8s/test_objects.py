from switchboard.k8s import objects

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a", "namespace": "n", "uid": "u", "labels": {"app": "x"}},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}


def test_reference_names_kind_namespace_and_name():
    assert objects.reference(POD) == "Pod n/a"
    assert objects.reference({"kind": "Node", "metadata": {"name": "one"}}) == "Node one"
    assert objects.reference({}) == ""


def test_accessors_answer_empty_values_for_wrong_types():
    broken = {"metadata": {"labels": [], "name": 3, "ownerReferences": ["x"]}, "spec": None, "status": 7}
    assert objects.labels(broken) == {}
    assert objects.name(broken) == ""
    assert objects.owners(broken) == []
    assert objects.spec(broken) == {}
    assert objects.condition(broken, "Ready") == ""
    assert objects.key({"metadata": "text"}) == ""


def test_ownership_goes_by_uid():
    child = {"metadata": {"ownerReferences": [objects.owner_reference(POD)]}}
    assert objects.controller(child)["name"] == "a"
    assert objects.owned_by(child, POD)
    assert not objects.owned_by(child, {"metadata": {"uid": "other"}})
    assert not objects.owned_by(child, {})


def test_condition_status():
    assert objects.condition(POD, "Ready") == "True"
