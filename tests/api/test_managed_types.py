import pytest

from switchboard.api.managed_types import ANY, LIST, MAP, SCALAR, built_in, custom

GADGET = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer"},
                "port": {"x-kubernetes-int-or-string": True},
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "plain": {"type": "array", "items": {"type": "string"}},
                "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "string"}}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "closed": {"type": "object"},
                "named": {"type": "object", "additionalProperties": {"type": "string"}},
                "items": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name", "zone"],
                    "items": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "zone": {"type": "string", "default": "a"}},
                    },
                },
            },
        }
    },
}


def at(kind, *names):
    for name in names:
        kind = kind.items() if name == "[]" else kind.member(name)
    return kind


@pytest.mark.parametrize(
    ("names", "form", "atomic", "keys"),
    [
        (("data",), MAP, False, ()),
        (("data", "any"), SCALAR, False, ()),
        (("metadata", "finalizers"), LIST, False, ()),
        (("metadata", "ownerReferences"), LIST, False, ("uid",)),
        (("metadata", "ownerReferences", "[]"), MAP, True, ()),
    ],
)
def test_of_config_maps(names, form, atomic, keys):
    found = at(built_in("v1", "ConfigMap"), *names)
    assert (found.form, found.atomic, found.keys) == (form, atomic, keys)


@pytest.mark.parametrize(
    ("names", "form", "atomic", "keys"),
    [
        (("spec", "selector"), MAP, True, ()),
        (("spec", "ports"), LIST, False, ("port", "protocol")),
        (("spec", "ports", "[]", "targetPort"), SCALAR, False, ()),
        (("spec", "loadBalancerSourceRanges"), LIST, True, ()),
        (("status", "loadBalancer", "ingress"), LIST, True, ()),
    ],
)
def test_of_services(names, form, atomic, keys):
    found = at(built_in("v1", "Service"), *names)
    assert (found.form, found.atomic, found.keys) == (form, atomic, keys)


def test_what_is_always_there():
    deployment = built_in("apps/v1", "Deployment")
    assert at(deployment, "spec").always
    assert at(deployment, "spec", "strategy").always
    assert at(deployment, "spec", "template", "spec", "containers").always
    assert not at(deployment, "spec", "strategy", "rollingUpdate").always
    assert not at(deployment, "spec", "template", "spec", "resources").always
    assert not custom(GADGET).member("spec").always


def test_key_defaults():
    assert at(built_in("v1", "Service"), "spec", "ports").key_default("protocol") == "TCP"
    assert at(built_in("v1", "Service"), "spec", "ports").key_default("port") is None
    assert at(custom(GADGET), "spec", "items").key_default("zone") == "a"
    assert at(custom(GADGET), "spec", "items").key_default("name") is None


@pytest.mark.parametrize(
    ("name", "form", "atomic"),
    [
        ("size", SCALAR, False),
        ("port", SCALAR, False),
        ("tags", LIST, False),
        ("plain", LIST, True),
        ("whole", MAP, True),
        ("free", ANY, False),
        ("closed", MAP, False),
        ("named", MAP, False),
        ("items", LIST, False),
    ],
)
def test_of_custom_resources(name, form, atomic):
    found = at(custom(GADGET), "spec", name)
    assert (found.form, found.atomic) == (form, atomic)


def test_unknown_members():
    assert built_in("v1", "ConfigMap").member("nope") is None
    assert at(custom(GADGET), "spec", "nope") is None
    assert at(custom(GADGET), "spec", "closed", "nope") is None
    assert at(custom(GADGET), "spec", "free", "nope").form == ANY
    assert custom(None).member("nope").form == ANY


def test_metadata_of_custom_resources_is_kubernetes_own():
    for kind in (custom(GADGET), custom(None)):
        assert at(kind, "metadata", "finalizers").form == LIST
        assert at(kind, "metadata", "nope") is None


def test_kinds_that_kubernetes_does_not_serve():
    assert built_in("example.com/v1", "Gadget") is None


def test_a_schema_that_contains_itself():
    crd = built_in("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    schema = at(crd, "spec", "versions", "[]", "schema", "openAPIV3Schema")
    for _ in range(50):
        schema = at(schema, "properties", "x")
    assert schema.form == MAP
