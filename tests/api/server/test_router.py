import pytest

from switchboard.api.server.watches import Watch

MAPS = "/api/v1/namespaces/default/configmaps"


def test_an_object_lives(ask, config_map):
    status, made = ask("POST", MAPS, config_map(data={"a": "1"}))
    assert (status, made["data"], made["metadata"]["namespace"]) == (201, {"a": "1"}, "default")
    assert ask("GET", f"{MAPS}/m") == (200, made)
    assert ask("GET", MAPS)[1]["items"] == [{k: v for k, v in made.items() if k not in ("kind", "apiVersion")}]
    status, changed = ask("PUT", f"{MAPS}/m", config_map(data={"a": "2"}))
    assert (status, changed["data"]) == (200, {"a": "2"})
    assert ask("DELETE", f"{MAPS}/m")[1]["status"] == "Success"
    assert ask("GET", f"{MAPS}/m")[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api/v1/namespaces/default/gadgets", 404),
        ("GET", "/api/v1/configmaps/m", 404),
        ("GET", f"{MAPS}/m/status", 404),
        ("POST", f"{MAPS}/m", 405),
        ("PUT", MAPS, 405),
        ("DELETE", "/api/v1", 405),
        ("GET", f"{MAPS}/../secrets", 404),
        ("GET", f"{MAPS}/%2e%2e/secrets", 404),
        ("GET", f"{MAPS}/%ff", 400),
        ("GET", "/nothing", 404),
    ],
)
def test_paths_that_are_not_served(ask, method, path, code):
    assert ask(method, path, {})[0] == code


def test_nobody_reads_without_a_right_to(ask):
    assert ask("GET", MAPS, user="")[0] == 403
    assert ask("GET", MAPS, user="wrong")[0] == 401
    assert ask("GET", MAPS, user="ann")[0] == 403
    assert ask("GET", "/api", user="")[0] == 403
    for path in ("/healthz", "/livez", "/readyz", "/version"):
        assert ask("GET", path, user="")[0] == 200


def test_impersonation_needs_its_own_right(ask):
    assert ask("GET", MAPS, impersonate_user="ann")[1]["message"].startswith('configmaps is forbidden: User "ann"')
    assert 'cannot impersonate resource "users"' in ask("GET", MAPS, user="ann", impersonate_user="bob")[1]["message"]
    groups = {"user": "ann", "impersonate_group": "system:masters"}
    assert ask("GET", MAPS, **groups)[0] == 400


def test_watching_is_answered_with_a_watch(ask):
    assert isinstance(ask.answer("GET", MAPS, query="watch=1"), Watch)
    assert ask("GET", f"{MAPS}/m", query="watch=1")[0] == 404


def test_endpoints_are_told_to_be_old(ask):
    answer = ask.answer("GET", "/api/v1/namespaces/default/endpoints")
    assert [k for k, _ in answer.headers] == ["Warning"]
