import pytest

PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"


@pytest.fixture
def pod(ask):
    ask(
        "POST",
        PODS,
        {"metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    )


def test_scale(ask):
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template, "replicas": 2}
    ask("POST", DEPLOYMENTS, {"metadata": {"name": "d"}, "spec": spec})
    scale = ask("GET", f"{DEPLOYMENTS}/d/scale")[1]
    assert (scale["spec"], scale["status"]["selector"]) == ({"replicas": 2}, "a=b")
    scale["spec"] = {"replicas": 5}
    assert ask("PUT", f"{DEPLOYMENTS}/d/scale", scale)[1]["spec"] == {"replicas": 5}
    assert ask("GET", f"{DEPLOYMENTS}/d")[1]["spec"]["replicas"] == 5
    patch = {"content_type": "application/merge-patch+json"}
    assert ask("PATCH", f"{DEPLOYMENTS}/d/scale", {"spec": {"replicas": -1}}, **patch)[0] == 422


def test_binding_gives_a_node_once(ask, pod):
    body = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}
    assert ask("POST", f"{PODS}/p/binding", body)[0] == 201
    found = ask("GET", f"{PODS}/p")[1]
    assert (found["spec"]["nodeName"], found["status"]["conditions"][0]["type"]) == ("n1", "PodScheduled")
    assert ask("POST", f"{PODS}/p/binding", body)[0] == 409
    assert ask("POST", f"{PODS}/p/binding", {})[0] == 422


def test_eviction_heeds_budgets(ask, pod):
    running = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    ask("PATCH", f"{PODS}/p/status", running, content_type="application/merge-patch+json")
    budget = {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}}
    ask("POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", budget)
    assert ask("POST", f"{PODS}/p/eviction", {"metadata": {"name": "p"}})[0] == 429
    ask("DELETE", "/apis/policy/v1/namespaces/default/poddisruptionbudgets/b")
    assert ask("POST", f"{PODS}/p/eviction", {"metadata": {"name": "p"}})[0] == 201
    assert ask("GET", f"{PODS}/p")[0] == 404


def test_tokens(ask):
    ask("POST", ACCOUNTS, {"metadata": {"name": "a"}})
    status, found = ask("POST", f"{ACCOUNTS}/a/token", {"spec": {}})
    assert (status, found["status"]["token"], found["spec"]["expirationSeconds"]) == (201, "signed", 3600)
    assert ask("POST", f"{ACCOUNTS}/a/token", {"spec": {"expirationSeconds": 60}})[0] == 422
    assert ask("POST", f"{ACCOUNTS}/b/token", {"spec": {}})[0] == 404


def test_a_namespace_goes_when_it_is_finalized(ask):
    ask("POST", "/api/v1/namespaces", {"metadata": {"name": "n"}})
    assert ask("DELETE", "/api/v1/namespaces/n")[1]["status"]["phase"] == "Terminating"
    assert (
        ask("PUT", "/api/v1/namespaces/n/finalize", {"metadata": {"name": "n"}, "spec": {"finalizers": []}})[0] == 200
    )
    assert ask("GET", "/api/v1/namespaces/n")[0] == 404
