from switchboard.api.crds.upkeep import accepted

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def conditions(status):
    return {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}


def test_names_are_accepted_and_the_kind_established(gadgets):
    definition = gadgets()
    status = accepted(definition, [], NOW)
    assert conditions(status) == {
        "NamesAccepted": ("True", "NoConflicts"),
        "Established": ("True", "InitialNamesAccepted"),
    }
    assert status["acceptedNames"] == definition["spec"]["names"]
    assert accepted({**definition, "status": status}, [], LATER) == status, "what stays the same keeps its time"


def test_names_that_another_has_are_not_accepted(gadgets):
    first = gadgets(names={"shortNames": ["gd"]})
    first["metadata"]["uid"] = "1"
    first["status"] = accepted(first, [], NOW)
    second = gadgets(plural="gidgets", kind="Gidget", names={"shortNames": ["gd"]})
    second["metadata"]["uid"] = "2"
    status = accepted(second, [first, second], NOW)
    assert conditions(status)["NamesAccepted"] == ("False", "ShortNamesConflict")
    assert conditions(status)["Established"] == ("False", "NotAccepted")
    second["metadata"]["uid"] = "1"
    assert conditions(accepted(second, [first], NOW))["Established"][0] == "True"


def test_definitions_are_established_when_they_are_stored_and_their_objects_go_with_them(cluster, gadgets, gadget):
    made = cluster.create(gadgets({"type": "object", "properties": {"size": {"type": "integer"}}}))
    assert made["status"]["conditions"] is None
    stored = cluster.get("CustomResourceDefinition", "", "gadgets.e.com")
    assert conditions(stored["status"])["Established"][0] == "True"
    cluster.create(gadget({"size": 1}))
    assert [r.name for r in cluster.records("Gadget.e.com")] == ["g"]
    cluster.delete("CustomResourceDefinition", "", "gadgets.e.com")
    assert list(cluster.records("Gadget.e.com")) == []
    assert cluster.events(cluster.resource_version - 1)[0].type == "DELETED"


def test_a_conflict_is_resolved_when_the_other_goes(cluster, gadgets):
    cluster.create(gadgets(names={"shortNames": ["gd"]}))
    cluster.create(gadgets(plural="gidgets", kind="Gidget", names={"shortNames": ["gd"]}))
    assert [k.kind for k in cluster.custom.kinds()] == ["Gadget"]
    cluster.delete("CustomResourceDefinition", "", "gadgets.e.com")
    assert [k.kind for k in cluster.custom.kinds()] == ["Gidget"]
