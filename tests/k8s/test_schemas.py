import copy

import jsonschema
import pytest
import referencing
from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.k8s import kinds, schemas
from switchboard.k8s.manifests import load


def findings(text):
    manifests, wrong = load(text, "f")
    assert wrong == []
    return [f for m in manifests for f in schemas.validate(m)]


def errors(text):
    return [(f.reference, f.field, f.place.line, f.place.column) for f in findings(text) if f.severity == "error"]


SERVICE = "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\nspec:\n  ports:\n  - port: 80\n"
INGRESS = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nspec:\n  rules:\n  - http:\n      paths:\n      - path: /\n"


def test_every_kind_we_know_has_a_schema():
    assert [k.kind for k in kinds.KINDS if schemas.schema_of(k.api_version, k.kind) is None] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SERVICE, []),
        (SERVICE + "    targetport: 8080\n", [("unknown-field", "spec.ports[0].targetport", 8, 5)]),
        (SERVICE + "    nodePort: '30080'\n", [("wrong-type", "spec.ports[0].nodePort", 8, 5)]),
        (SERVICE + "    targetPort: true\n", [("wrong-type", "spec.ports[0].targetPort", 8, 5)]),
        (SERVICE + "    targetPort: 99999999999\n", [("wrong-type", "spec.ports[0].targetPort", 8, 5)]),
        (SERVICE.replace("port: 80", "name: x"), [("field-required", "spec.ports[0].port", 7, 5)]),
        (SERVICE.replace("port: 80", "port:"), [("field-required", "spec.ports[0].port", 7, 5)]),
        (SERVICE.replace("name: a", "labels: {x: 1}"), [("wrong-type", "metadata.labels.x", 4, 12)]),
        (SERVICE.replace("  - port: 80", "    port: 80"), [("wrong-type", "spec.ports", 6, 3)]),
        (
            INGRESS,
            [
                ("field-required", "spec.rules[0].http.paths[0].pathType", 7, 9),
                ("field-required", "spec.rules[0].http.paths[0].backend", 7, 9),
            ],
        ),
        ("kind: NetworkPolicy\n", [("field-required", "apiVersion", 1, 1)]),
        ("apiVersion: v1\n", [("field-required", "kind", 1, 1)]),
        ("apiVersion: 1\nkind: Pod\n", [("wrong-type", "apiVersion", 1, 1)]),
        ("a: 1\n", [("field-required", "apiVersion", 1, 1), ("field-required", "kind", 1, 1)]),
        ("apiVersion: extensions/v1beta1\nkind: Ingress\n", [("unknown-kind", "apiVersion", 1, 1)]),
        ("apiVersion: v1\nkind: Servise\n", [("unknown-kind", "kind", 2, 1)]),
        ("apiVersion: app/v1\nkind: Thing\n", [("unknown-kind", "apiVersion", 1, 1)]),
        ("apiVersion: example.com/v1\nkind: Thing\n", []),
        ("apiVersion: example.com/v1\nkind: Service\n", []),
        ("apiVersion: v1\nkind: Secret\ndata: {a: '*'}\n", [("wrong-type", "data.a", 3, 8)]),
        ("apiVersion: v1\nkind: Secret\ndata: {a: aGk=}\n", []),
        (
            "apiVersion: v1\nkind: ResourceQuota\nspec: {hard: {pods: 1.5, cpu: 1x, a/b: 500m}}\n",
            [("wrong-type", "spec.hard.cpu", 3, 26)],
        ),
        (
            "apiVersion: coordination.k8s.io/v1\nkind: Lease\nspec: {renewTime: yesterday}\n",
            [("wrong-type", "spec.renewTime", 3, 8)],
        ),
    ],
)
def test_structure_is_judged_with_field_and_place(text, expected):
    assert errors(text) == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (SERVICE + "    targetport: 8080\n", "Did you mean `targetPort`?"),
        (SERVICE + "    nodePort: '30080'\n", "Remove the quotes."),
        (SERVICE.replace("name: a", "labels: {x: yes}"), 'Put it in quotes: "true".'),
        ("apiVersion: v1\nkind: Servise\n", "Did you mean `kind: Service`?"),
        ("apiVersion: app/v1\nkind: Thing\n", "Did you mean `apiVersion: apps/v1`?"),
        ("kind: NetworkPolicy\n", "Add `apiVersion: networking.k8s.io/v1`."),
    ],
)
def test_hints_say_what_to_write(text, hint):
    assert [f.hint for f in findings(text)] == [hint]


def test_the_old_ingress_is_sent_to_its_new_home():
    found = findings("apiVersion: extensions/v1beta1\nkind: Ingress\n")
    assert "networking.k8s.io/v1`" in found[0].hint


def test_custom_resources_pass_with_a_note_and_checked_metadata():
    found = findings("apiVersion: example.com/v1\nkind: Thing\nmetadata: {labels: {a: 1}}\nspec: {x: 1}\n")
    assert [(f.severity, f.field) for f in found] == [("info", ""), ("error", "metadata.labels.a")]


def test_what_the_api_server_accepts_has_the_right_structure(accepted):
    assert [f for f in schemas.check(accepted["send"]) if f.severity == "error"] == []


def test_what_the_api_server_cannot_decode_is_a_finding(undecodable):
    assert {f.reference for f in schemas.check(undecodable["send"])} >= {"wrong-type"}


DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "a", "labels": {"a": "b"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80}], "tty": False}]},
        },
    },
}


def paths(value, path=()):
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(inner, (*path, key))


LEAVES = st.sampled_from([0, "x", True, [], {}, {"x": 1}, ["x"], 1.5])


@pytest.fixture(scope="module")
def reference():
    """The library's verdict over the same schemas."""
    root = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:d", "$defs": schemas.definitions()}
    registry = referencing.Registry().with_resource("urn:d", referencing.Resource.from_contents(root))
    return jsonschema.Draft202012Validator({"$ref": "urn:d#/$defs/io.k8s.api.apps.v1.Deployment"}, registry=registry)


@given(where=st.sampled_from(list(paths(DEPLOYMENT))[1:]), new=LEAVES, extra=st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_walk_agrees_with_jsonschema(reference, where, new, extra):
    obj = copy.deepcopy(DEPLOYMENT)
    parent = obj
    for step in where[:-1]:
        parent = parent[step]
    key = "extra" if extra and isinstance(parent, dict) else where[-1]
    parent[key] = new
    if obj["apiVersion"] != "apps/v1" or obj["kind"] != "Deployment":
        return
    assert bool(schemas.check(obj)) == (not reference.is_valid(obj))
