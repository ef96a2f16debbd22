import msgspec
import pytest

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def test_lists_of_built_in_kinds_leave_types_out_of_items(ask, config_map):
    made = ask("POST", MAPS, config_map())[1]
    found = ask("GET", MAPS)[1]
    assert list(found) == ["kind", "apiVersion", "metadata", "items"]
    assert {**found["items"][0], "kind": "ConfigMap", "apiVersion": "v1"} == made


def test_forms_of_one_and_of_many(ask, config_map):
    ask("POST", MAPS, config_map(data={"a": "1"}))
    one = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    many = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    assert "data" not in ask("GET", f"{MAPS}/m", accept=one)[1]
    assert ask("GET", MAPS, accept=many)[1]["items"][0]["kind"] == "PartialObjectMetadata"
    assert ask("GET", MAPS, accept=one)[0] == 406
    assert ask("GET", f"{MAPS}/m", accept=many)[0] == 406


@pytest.mark.parametrize(("include", "kind"), [("Object", "ConfigMap"), ("Metadata", "PartialObjectMetadata")])
def test_tables_carry_what_is_asked_for(ask, config_map, include, kind):
    ask("POST", MAPS, config_map())
    row = ask("GET", MAPS, query=f"includeObject={include}", accept=TABLE)[1]["rows"][0]
    assert (row["object"]["kind"], row["cells"][:2]) == (kind, ["m", 0])
    assert ask("GET", MAPS, query="includeObject=None", accept=TABLE)[1]["rows"][0]["object"] is None


def test_yaml_and_indented_json(ask, config_map):
    ask("POST", MAPS, config_map())
    assert ask.answer("GET", MAPS, accept="application/yaml").body.startswith(b"kind: ConfigMapList\n")
    pretty = ask.answer("GET", f"{MAPS}/m", query="pretty=true").body
    assert pretty.startswith(b'{\n  "kind"')
    assert msgspec.json.decode(pretty) == ask("GET", f"{MAPS}/m")[1]


def test_refusals_are_statuses(ask):
    status, body = ask("GET", f"{MAPS}/none")
    assert (status, body["kind"], body["reason"], body["code"]) == (404, "Status", "NotFound", 404)
