import pytest

MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = {"content_type": "application/merge-patch+json"}


def test_dry_runs_change_nothing(ask, config_map):
    before = ask.store.resource_version
    assert ask("POST", MAPS, config_map(), query="dryRun=All")[0] == 201
    assert (ask("GET", f"{MAPS}/m")[0], ask.store.resource_version) == (404, before)


def test_unknown_fields_warn_or_refuse_or_pass(ask, config_map):
    answer = ask.answer("POST", MAPS, config_map(bogus=1))
    assert answer.headers == (("Warning", '299 - "unknown field \\"bogus\\""'),)
    assert "bogus" not in ask("GET", f"{MAPS}/m")[1]
    status, body = ask("PUT", f"{MAPS}/m", config_map(bogus=1), query="fieldValidation=Strict")
    assert (status, body["reason"]) == (400, "BadRequest")
    assert ask.answer("PUT", f"{MAPS}/m", config_map(bogus=1), query="fieldValidation=Ignore").headers == ()


def test_a_patch_keeps_what_it_does_not_name(ask, config_map):
    ask("POST", MAPS, config_map(data={"a": "1", "b": "2"}))
    assert ask("PATCH", f"{MAPS}/m", {"data": {"a": None}}, **MERGE)[1]["data"] == {"b": "2"}
    status, body = ask("PATCH", f"{MAPS}/m", {"data": "x"}, **MERGE)
    assert (status, [c["field"] for c in body["details"]["causes"]]) == (422, ["patch"])
    assert ask("PATCH", f"{MAPS}/none", {}, **MERGE)[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "m"}},
        {"kind": "ConfigMap", "apiVersion": "apps/v1", "metadata": {"name": "m"}},
        {"metadata": {"name": "m", "namespace": "other"}},
        {"metadata": []},
        [],
    ],
)
def test_bodies_that_are_something_else(ask, body):
    assert ask("POST", MAPS, body)[0] == 400


def test_names_of_path_and_body_agree(ask, config_map):
    ask("POST", MAPS, config_map())
    assert ask("PUT", f"{MAPS}/m", config_map("n"))[0] == 400
    assert ask("PUT", f"{MAPS}/m", config_map(""))[0] == 400
    assert ask("PUT", f"{MAPS}/n", config_map("n"))[0] == 404


def test_some_kinds_are_created_by_put(ask):
    lease = {"metadata": {"name": "l"}}
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l"
    assert ask("PUT", path, lease)[0] == 201
    assert ask("PUT", path, lease)[0] == 200


def test_collections_are_deleted_by_selector(ask, config_map):
    for name in "ab":
        ask("POST", MAPS, {"metadata": {"name": name, "labels": {"n": name}}})
    gone = ask("DELETE", MAPS, query="labelSelector=n%3Da")[1]
    assert [i["metadata"]["name"] for i in gone["items"]] == ["a"]
    assert [i["metadata"]["name"] for i in ask("GET", MAPS)[1]["items"]] == ["b"]


def test_preconditions(ask, config_map):
    made = ask("POST", MAPS, config_map())[1]
    assert ask("DELETE", f"{MAPS}/m", {"preconditions": {"uid": "other"}})[0] == 409
    assert ask("DELETE", f"{MAPS}/m", {"preconditions": {"uid": made["metadata"]["uid"]}})[0] == 200
    assert ask("DELETE", f"{MAPS}/m", b"{")[0] == 400
