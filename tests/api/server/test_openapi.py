import pytest

from switchboard.api.server import openapi
from switchboard.api.server.resources import Resources
from switchboard.k8s import schemas


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


@pytest.mark.parametrize(
    "path", ["api/v1", "apis/apps/v1", "apis/networking.k8s.io/v1", "apis/authorization.k8s.io/v1"]
)
def test_documents_of_version_3_are_closed(path):
    found = openapi.version_3(Resources(), path.split("/"))
    known = {f"#/components/schemas/{name}" for name in found["components"]["schemas"]}
    assert set(references(found)) <= known
    assert path in openapi.index(Resources())


def test_version_2_is_closed_and_keeps_what_clients_merge_by():
    found = openapi.version_2(Resources())
    assert set(references(found)) <= {f"#/definitions/{name}" for name in found["definitions"]}
    ports = found["definitions"]["io.k8s.api.core.v1.ServiceSpec"]["properties"]["ports"]
    assert ports["x-kubernetes-patch-merge-key"] == "port"


def test_the_documentation_is_the_schemas_own():
    found = openapi.version_3(Resources(), ["api", "v1"])["components"]["schemas"]["io.k8s.api.core.v1.ServiceSpec"]
    original = schemas.definitions()["io.k8s.api.core.v1.ServiceSpec"]["properties"]
    assert found["properties"]["ports"]["description"] == original["ports"]["description"]
    assert found["properties"]["type"]["type"] == "string"


def test_nothing_else(ask):
    assert openapi.version_3(Resources(), ["apis", "nothing", "v1"]) is None
    assert ask("GET", "/openapi/v3/apis/none/v1")[0] == 404
    assert ask("GET", "/openapi/v2")[1]["swagger"] == "2.0"
