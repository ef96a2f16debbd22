import pytest

AUTHORIZATION, AUTHENTICATION = "/apis/authorization.k8s.io/v1", "/apis/authentication.k8s.io/v1"
PODS = {"resourceAttributes": {"verb": "list", "resource": "pods", "namespace": "default"}}


def test_may_i_and_may_he(ask):
    mine = f"{AUTHORIZATION}/selfsubjectaccessreviews"
    assert ask("POST", mine, {"spec": PODS})[1]["status"]["allowed"]
    assert not ask("POST", mine, {"spec": PODS}, user="ann")[1]["status"]["allowed"]
    his = ask("POST", f"{AUTHORIZATION}/subjectaccessreviews", {"spec": {**PODS, "user": "ann"}})
    assert (his[0], his[1]["status"]["allowed"]) == (201, False)
    local = f"{AUTHORIZATION}/namespaces/kube-system/localsubjectaccessreviews"
    assert ask("POST", local, {"spec": {**PODS, "user": "ann"}})[0] == 422


@pytest.mark.parametrize("spec", [{}, {**PODS, "nonResourceAttributes": {"path": "/x", "verb": "get"}}])
def test_questions_about_one_thing(ask, spec):
    assert ask("POST", f"{AUTHORIZATION}/selfsubjectaccessreviews", {"spec": spec})[0] == 422


def test_who_am_i(ask):
    found = ask("POST", f"{AUTHENTICATION}/selfsubjectreviews", {}, user="ann")[1]["status"]["userInfo"]
    assert found == {"username": "ann", "groups": ["team", "system:authenticated"]}


def test_whose_token_is_this(ask):
    path = f"{AUTHENTICATION}/tokenreviews"
    assert ask("POST", path, {"spec": {"token": "ann"}})[1]["status"]["user"]["username"] == "ann"
    assert "error" in ask("POST", path, {"spec": {"token": "no"}})[1]["status"]
    assert ask("POST", path, {"spec": {}})[0] == 422
    assert ask("POST", path, {"spec": {"token": "ann"}}, user="ann")[0] == 403


def test_what_may_i(ask):
    rules = ask("POST", f"{AUTHORIZATION}/selfsubjectrulesreviews", {"spec": {"namespace": "default"}}, user="ann")[1]
    assert rules["status"]["incomplete"] is False
    assert any("/healthz" in r["nonResourceURLs"] for r in rules["status"]["nonResourceRules"])
