import pytest

from switchboard.api import errors

SPEC = {"type": "object", "properties": {"size": {"type": "integer", "maximum": 5, "default": 2}}}


@pytest.fixture
def served(cluster, gadgets):
    cluster.create(gadgets(SPEC, subresources={"status": {}}))
    return cluster


def test_custom_objects_are_completed_like_others(served, gadget):
    made = served.create(gadget({"x": 1}, status={"a": 1}))
    assert made["spec"] == {"size": 2}
    assert "status" not in made
    assert made["metadata"]["generation"] == 1
    changed = served.update({**made, "spec": {"size": 3}})
    assert changed["metadata"]["generation"] == 2
    assert served.update_status({**changed, "status": {"a": 1}})["metadata"]["generation"] == 2


def test_what_is_wrong_is_refused_with_everything_at_once(served, gadget, found):
    with pytest.raises(errors.Invalid) as raised:
        served.create(gadget({"size": 9}, name="Bad_Name"))
    assert found(raised.value.causes) == {("spec.size", "Invalid"), ("metadata.name", "Invalid")}
    made = served.create(gadget({}))
    with pytest.raises(errors.Invalid):
        served.update({**made, "spec": {"size": 9}})


def test_a_namespace_must_be_there(served, gadget):
    obj = gadget({})
    obj["metadata"]["namespace"] = "none"
    with pytest.raises(errors.NotFound):
        served.create(obj)


def test_kinds_that_nobody_defined_are_not_found(cluster, gadget):
    with pytest.raises(errors.NotFound):
        cluster.create(gadget({}))


def test_definitions_are_checked_with_their_metadata(cluster, gadgets, found):
    definition = gadgets(SPEC)
    definition["spec"]["scope"] = "Galaxy"
    definition["metadata"]["labels"] = {"a": "b c"}
    with pytest.raises(errors.Invalid) as raised:
        cluster.create(definition)
    assert found(raised.value.causes) == {("spec.scope", "NotSupported"), ("metadata.labels", "Invalid")}


def test_an_update_of_a_definition_keeps_its_status(served, gadgets):
    stored = served.get("CustomResourceDefinition", "", "gadgets.e.com")
    changed = served.update({**stored, "spec": gadgets(SPEC, additionalPrinterColumns=[
        {"name": "S", "type": "integer", "jsonPath": ".spec.size"},
    ])["spec"], "status": {}})  # fmt: skip
    assert changed["status"]["storedVersions"] == ["v1"]
    assert served.custom.find("e.com", "v1", "gadgets").columns[0].name == "S"


def test_other_kinds_are_left_to_the_inner_admission(served):
    with pytest.raises(errors.Invalid):
        served.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Bad_", "namespace": "default"}})
