from switchboard.api.server import discovery
from switchboard.api.server.resources import Resources

RESOURCES = Resources()


def test_groups_and_versions():
    groups = {g["name"]: g for g in discovery.group_list(RESOURCES)["groups"]}
    assert "" not in groups
    assert groups["autoscaling"]["preferredVersion"]["version"] == "v2"
    assert [v["version"] for v in groups["autoscaling"]["versions"]] == ["v2", "v1"]
    assert discovery.group(RESOURCES, "nothing") is None
    assert discovery.group(RESOURCES, "apps")["name"] == "apps"


def test_resources_with_their_subresources():
    found = {r["name"]: r for r in discovery.resource_list(RESOURCES, "", "v1")["resources"]}
    assert found["services"]["shortNames"] == ["svc"]
    assert found["pods/status"]["verbs"] == ["get", "patch", "update"]
    assert found["serviceaccounts/token"]["group"] == "authentication.k8s.io"
    assert discovery.resource_list(RESOURCES, "apps", "v9") is None


def test_one_document_says_the_same():
    groups = discovery.aggregated(RESOURCES, core=False)["items"]
    assert {g["metadata"]["name"] for g in groups} == {g["name"] for g in discovery.group_list(RESOURCES)["groups"]}
    core = discovery.aggregated(RESOURCES, core=True)["items"]
    names = {r["resource"] for r in core[0]["versions"][0]["resources"]}
    listed = discovery.resource_list(RESOURCES, "", "v1")["resources"]
    assert names == {r["name"] for r in listed if "/" not in r["name"]}
