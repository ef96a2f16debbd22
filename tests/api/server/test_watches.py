import msgspec
import pytest

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def watch(ask):
    def start(query="", **headers):
        return ask.answer("GET", MAPS, query=f"watch=1&{query}", **headers)

    return start


def events(lines):
    return [msgspec.json.decode(line) for line in lines.splitlines()]


def told(lines):
    return [(e["type"], e["object"]["metadata"].get("name")) for e in events(lines)]


def test_what_is_there_then_what_changes(ask, watch, config_map):
    ask("POST", MAPS, config_map("a"))
    watching = watch()
    assert told(watching.next_lines()) == [("ADDED", "a")]
    assert watching.next_lines() == b""
    ask("PUT", f"{MAPS}/a", config_map("a", data={"x": "1"}))
    ask("DELETE", f"{MAPS}/a")
    assert told(watching.next_lines()) == [("MODIFIED", "a"), ("DELETED", "a")]


def test_leaving_and_entering_a_selection(ask, watch):
    watching = watch("labelSelector=on%3D1")
    for labels in ({"on": "0"}, {"on": "1"}, {"on": "1", "b": "c"}, {}):
        body = {"metadata": {"name": "a", "labels": labels}}
        if ask("PUT", f"{MAPS}/a", body)[0] == 404:
            ask("POST", MAPS, body)
    ask("DELETE", f"{MAPS}/a")
    assert told(watching.next_lines()) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_other_namespaces_and_kinds_are_not_told(ask, watch):
    watching = watch(f"resourceVersion={ask.store.resource_version}")
    ask("POST", "/api/v1/namespaces/kube-system/configmaps", {"metadata": {"name": "x"}})
    ask("POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "x"}})
    assert watching.next_lines() == b""


def test_initial_events_end_with_a_mark(ask, watch, config_map):
    ask("POST", MAPS, config_map("a"))
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    found = events(watch(query).next_lines())
    assert [e["type"] for e in found] == ["ADDED", "BOOKMARK"]
    assert found[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_bookmarks_for_those_who_ask(ask, watch):
    watching = watch("allowWatchBookmarks=true")
    watching.next_lines()
    found = events(watching.bookmark())[0]
    assert found["object"]["metadata"]["resourceVersion"] == str(ask.store.resource_version)
    silent = watch()
    silent.next_lines()
    assert silent.bookmark() == b""


def test_a_version_that_is_forgotten_ends_the_watch(ask, watch, monkeypatch):
    watching = watch("resourceVersion=1")
    from switchboard.api.errors import Expired

    def forgotten(*_):
        raise Expired("too old")

    monkeypatch.setattr(ask.store, "events", forgotten)
    assert [e["object"]["code"] for e in events(watching.next_lines())] == [410]
    assert watching.ended
    assert watching.next_lines() == b""


def test_many_objects_come_in_pieces(ask, watch, config_map):
    for i in range(40):
        ask("POST", MAPS, config_map(f"m{i:02}", data={"x": "y" * 20_000}))
    watching, pieces = watch(), []
    while piece := watching.next_lines():
        pieces.append(piece)
    assert len(pieces) > 2
    assert max(map(len, pieces)) < 400_000
    assert [name for piece in pieces for _, name in told(piece)] == [f"m{i:02}" for i in range(40)]


def test_tables_define_their_columns_once(ask, watch, config_map):
    for name in "ab":
        ask("POST", MAPS, config_map(name))
    found = events(watch(accept="application/json;as=Table;v=v1;g=meta.k8s.io").next_lines())
    assert [bool(e["object"]["columnDefinitions"]) for e in found] == [True, False]
