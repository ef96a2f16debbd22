import pytest

from switchboard.api.errors import BadRequest, NotFound
from switchboard.api.server.request import Request, Target, query_of, target_of


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/pods", ("list", "", "pods", "", "", "")),
        ("GET", "/api/v1/namespaces/a/pods/p", ("get", "", "pods", "", "a", "p")),
        ("GET", "/api/v1/namespaces/a", ("get", "", "namespaces", "", "a", "a")),
        ("PUT", "/api/v1/namespaces/a/finalize", ("update", "", "namespaces", "finalize", "a", "a")),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/a/deployments/d/scale",
            ("patch", "apps", "deployments", "scale", "a", "d"),
        ),
        ("DELETE", "/apis/apps/v1/namespaces/a/deployments", ("deletecollection", "apps", "deployments", "", "a", "")),
        ("GET", "/api/v1/watch/namespaces/a/pods", ("watch", "", "pods", "", "a", "")),
        ("GET", "/healthz", ("get", "", "", "", "", "")),
        ("GET", "/apis/apps/v1", ("get", "", "", "", "", "")),
    ],
)
def test_targets(method, path, expected):
    t = target_of(Request(method, path))
    assert (t.verb, t.group, t.resource, t.subresource, t.namespace, t.name) == expected


def test_selecting_one_name_is_about_that_name():
    target = target_of(Request("GET", "/api/v1/pods", query_of("fieldSelector=metadata.name%3Dx")))
    assert (target.verb, target.name) == ("list", "x")


def test_paths_with_tricks_are_refused():
    for path in ("/api/v1/pods/..", "/api/v1/%2E%2E/x", "/api/v1/pods/a%00b"):
        with pytest.raises(NotFound):
            target_of(Request("GET", path))
    with pytest.raises(BadRequest):
        target_of(Request("GET", "/api/%ff"))
    with pytest.raises(BadRequest):
        query_of("a=%ff")


def test_headers_and_parameters():
    request = Request("GET", "/", query_of("dryRun=All&dryRun=x"), (("accept", "a"), ("accept", "b")))
    assert (request.header("accept"), request.header("none")) == ("a", "")
    assert (request.all("dryRun"), request.parameter("dryRun"), request.parameter("no")) == (["All", "x"], "All", "")
    assert Target(verb="create", path="/api/v1/pods/p", resource="pods", name="p").method_mismatch("POST")
