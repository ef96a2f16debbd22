from switchboard.api.crds.registry import Registry, kinds_of
from switchboard.api.storage import MemoryStorage


def version(name, **more):
    schema = {"openAPIV3Schema": {"type": "object"}}
    return {"name": name, "served": True, "storage": name == "v1", "schema": schema, **more}


def test_facts_come_from_the_definition(kinds):
    names = {"shortNames": ["gd"], "categories": ["all"]}
    scale = {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n", "labelSelectorPath": ".status.s"}
    (kind,) = kinds(names=names, subresources={"status": {}, "scale": scale}, deprecated=True)
    assert (kind.group, kind.version, kind.plural, kind.singular, kind.list_kind) == (
        "e.com", "v1", "gadgets", "gadget", "GadgetList",
    )  # fmt: skip
    assert (kind.short_names, kind.categories, kind.namespaced, kind.custom) == (("gd",), ("all",), True, True)
    assert (kind.status_subresource, kind.scale_subresource, kind.preferred) == (True, True, True)
    assert kind.scale.selector == ("status", "s")
    assert kind.key == "Gadget.e.com"
    assert kind.warning == "e.com/v1 Gadget is deprecated"


def test_versions_are_ordered_by_what_their_names_promise(kinds):
    names = ["v1beta1", "v1", "v2alpha1", "v10", "foo", "v2", "v1beta2"]
    found = kinds(versions=[version(name) for name in names])
    assert [k.version for k in found] == ["v10", "v2", "v1", "v1beta2", "v1beta1", "v2alpha1", "foo"]
    assert [k.preferred for k in found] == [True] + 6 * [False]
    assert {k.stored for k in found} == {"v1"}


def test_what_is_not_served_or_not_established_is_not_there(kinds, gadgets):
    found = kinds(versions=[version("v1", served=False), version("v2")])
    assert [k.version for k in found] == ["v2"]
    assert kinds_of(gadgets()) == ()


def test_definitions_are_read_again_only_when_they_change(cluster, gadgets):
    cluster.create(gadgets())
    first = cluster.custom.find("e.com", "v1", "gadgets")
    assert first is cluster.custom.kind_of("e.com/v1", "Gadget") is cluster.custom.named("Gadget.e.com")
    cluster.create(gadgets(plural="things", kind="Thing"))
    assert cluster.custom.find("e.com", "v1", "gadgets") is first
    assert [k.kind for k in cluster.custom.kinds()] == ["Gadget", "Thing"]
    cluster.delete("CustomResourceDefinition", "", "gadgets.e.com")
    assert cluster.custom.find("e.com", "v1", "gadgets") is None


def test_an_empty_store_serves_nothing():
    storage = MemoryStorage()
    registry = Registry(lambda: storage.scan("CustomResourceDefinition"))
    assert registry.kinds() == ()
    assert registry.kind_of("v1", "Pod") is None
