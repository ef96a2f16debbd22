import json
from pathlib import Path

import pytest

from switchboard.api.crds import definition
from switchboard.k8s import names

CASES = [
    json.loads(line) for line in (Path(__file__).parents[2] / "cases/api/recorded/crds.jsonl").read_text().splitlines()
]
# The name itself is judged with the metadata of all kinds.
ELSEWHERE = ("metadata.name",)


@pytest.mark.parametrize("case", [pytest.param(c, id=c["id"]) for c in CASES])
def test_kube_apiserver_found_the_same(case):
    step = case["steps"][0]
    obj = json.loads(json.dumps(step.get("body", {})).replace("$ns", "ns1"))
    definition.default(obj)
    definition.begin_status(obj)
    causes = {(c.field, c.reason) for c in definition.validate(obj) if c.field not in ELSEWHERE}
    assert causes == {tuple(c) for c in step["expect"].get("causes", ()) if c[0] not in ELSEWHERE}


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"group": ""}, "spec.group", "Required"),
        ({"scope": "Galaxy"}, "spec.scope", "NotSupported"),
        (
            {"names": {"plural": "gadgets", "kind": "Gadget", "shortNames": ["G"]}},
            "spec.names.shortNames[0]",
            "Invalid",
        ),
        ({"names": {"plural": "gadgets", "kind": "Gadget", "listKind": "Gadget"}}, "spec.names.listKind", "Invalid"),
        ({"names": {"plural": "things", "kind": "Gadget"}}, "metadata.name", "Invalid"),
        ({"conversion": {"strategy": "Magic"}}, "spec.conversion.strategy", "NotSupported"),
    ],
)
def test_more_faults(change, field, reason, gadgets, found):
    obj = gadgets()
    obj["spec"] |= change
    definition.default(obj)
    definition.begin_status(obj)
    assert (field, reason) in found(definition.validate(obj))


@pytest.mark.parametrize(
    ("version", "field", "reason"),
    [
        ({"schema": {}}, "spec.validation.openAPIV3Schema", "Required"),
        (
            {"subresources": {"scale": {"statusReplicasPath": ".status.a"}}},
            "spec.subresources.scale.specReplicasPath",
            "Required",
        ),
        (
            {"subresources": {"scale": {"specReplicasPath": ".spec.a[0]", "statusReplicasPath": ".status.a"}}},
            "spec.subresources.scale.specReplicasPath",
            "Invalid",
        ),
        (
            {"additionalPrinterColumns": [{"type": "string", "jsonPath": ".a"}]},
            "spec.additionalPrinterColumns[0].name",
            "Required",
        ),
        (
            {"additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": ".a", "format": "x"}]},
            "spec.additionalPrinterColumns[0].format",
            "Invalid",
        ),
        ({"selectableFields": [{"jsonPath": ".spec.none"}]}, "spec.selectableFields[0].jsonPath", "Invalid"),
        (
            {"selectableFields": [{"jsonPath": ".spec.a"}, {"jsonPath": ".spec.a"}]},
            "spec.selectableFields[1].jsonPath",
            "Duplicate",
        ),
    ],
)
def test_faults_of_a_version(version, field, reason, gadgets, found):
    obj = gadgets({"type": "object", "properties": {"a": {"type": "string"}}}, **version)
    definition.default(obj)
    definition.begin_status(obj)
    assert found(definition.validate(obj)) == {(field, reason)}


def test_versions_that_differ_are_named_by_number(gadgets, found):
    good = gadgets()["spec"]["versions"][0]
    bad = {"name": "v2", "served": True, "storage": False, "schema": {"openAPIV3Schema": {"type": "array"}}}
    obj = gadgets(versions=[good, bad])
    definition.default(obj)
    definition.begin_status(obj)
    assert found(definition.validate(obj)) == {("spec.versions[1].schema.openAPIV3Schema.type", "Invalid")}


def test_a_webhook_matters_only_between_versions(gadgets, found):
    obj = gadgets()
    obj["spec"]["conversion"] = {"strategy": "Webhook", "webhook": {}}
    definition.begin_status(obj)
    definition.default(obj)
    assert definition.validate(obj) == []
    second = {**obj["spec"]["versions"][0], "name": "v2", "storage": False}
    obj["spec"]["versions"].append(second)
    assert found(definition.validate(obj)) == {("spec.conversion.strategy", "NotSupported")}


def test_kubernetes_own_groups_need_an_approval(gadgets, found):
    obj = gadgets()
    obj["spec"]["group"] = "things.k8s.io"
    obj["metadata"]["name"] = "gadgets.things.k8s.io"
    definition.default(obj)
    definition.begin_status(obj)
    field = f"metadata.annotations[{names.APPROVED_ANNOTATION}]"
    assert found(definition.validate(obj)) == {(field, "Required")}
    obj["metadata"]["annotations"] = {names.APPROVED_ANNOTATION: "https://e.com/1"}
    assert definition.validate(obj) == []


def test_names_of_an_established_definition_stay(gadgets, found):
    old = gadgets()
    definition.default(old)
    definition.begin_status(old)
    old["status"]["conditions"] = [{"type": "Established", "status": "True"}]
    new = json.loads(json.dumps(old))
    new["spec"]["names"]["kind"] = "Other"
    new["spec"]["names"]["singular"] = "other"
    new["spec"]["scope"] = "Cluster"
    assert found(definition.validate(new, old)) == {("spec.scope", "Invalid"), ("spec.names.kind", "Invalid")}


def test_a_version_that_was_stored_is_remembered(gadgets, found):
    old = gadgets()
    definition.begin_status(old)
    new = gadgets(versions=[{**old["spec"]["versions"][0], "name": "v2"}])
    definition.default(new)
    definition.keep_stored_versions(new, old)
    assert new["status"]["storedVersions"] == ["v1", "v2"]
    assert found(definition.validate(new)) == {("status.storedVersions[0]", "Invalid")}
