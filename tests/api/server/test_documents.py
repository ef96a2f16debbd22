import pytest


@pytest.mark.parametrize("path", ["/healthz", "/livez/ping", "/readyz"])
def test_health(ask, path):
    assert ask("GET", path) == (200, "ok")
    assert "check passed" in ask("GET", "/readyz", query="verbose")[1]
    assert ask("GET", "/healthz/nothing") == (404, "404 page not found\n")


def test_documents(ask):
    assert ask("GET", "/version")[1]["minor"] == "36"
    assert ask("GET", "/api")[1]["versions"] == ["v1"]
    assert "/apis/apps" in ask("GET", "/")[1]["paths"]
    assert "switchboard_api_resource_version" in ask("GET", "/metrics")[1]
    assert ask("GET", "/apis/nothing/v1")[0] == 404
    assert ask("POST", "/apis/apps", {})[0] == 405


def test_aggregated_discovery_is_marked(ask):
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    answer = ask.answer("GET", "/apis", accept=accept)
    assert answer.content_type == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
