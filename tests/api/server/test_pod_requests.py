"""What a request wants of a pod's streams, and how wrong ones are refused."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.api.errors import ApiError, BadRequest, Invalid
from switchboard.api.server.pod_requests import LogOptions, PodStream, authorized_as, container_of, stream_of
from switchboard.api.server.request import Request, query_of, target_of


def pod(*containers: str, init: tuple[str, ...] = (), node: str = "node-1", state: str = "running") -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "namespace": "a", "uid": "u1", "creationTimestamp": "2026-05-01T12:00:00Z"},
        "spec": {
            "nodeName": node,
            "containers": [
                {"name": c, "env": [{"name": "K", "value": f"of {c}"}, {"name": "REF", "valueFrom": {}}]}
                for c in containers or ("web",)
            ],
            "initContainers": [{"name": c} for c in init],
        },
        "status": {
            "podIP": "10.244.0.5",
            "containerStatuses": [
                {"name": c, "state": {state: {"reason": "ImagePullBackOff"} if state == "waiting" else {}}}
                for c in containers or ("web",)
            ],
        },
    }


def request(kind: str, query: str = "", method: str = "GET") -> Request:
    return Request(method=method, path=f"/api/v1/namespaces/a/pods/web/{kind}", query=query_of(query))


def stream(kind: str, query: str = "", of: dict[str, Any] | None = None) -> PodStream:
    asked = request(kind, query)
    return stream_of(asked, target_of(asked), of or pod())


def refused(kind: str, query: str = "", of: dict[str, Any] | None = None) -> tuple[int, str]:
    with pytest.raises(ApiError) as error:
        stream(kind, query, of)
    return error.value.code, error.value.message


def test_a_log_with_all_options() -> None:
    found = stream("log", "follow=true&timestamps=1&tailLines=5&limitBytes=9&sinceSeconds=3&previous=false")
    assert found.log == LogOptions(follow=True, timestamps=True, tail_lines=5, limit_bytes=9, since_seconds=3)
    assert (found.name, found.uid, found.container, found.waiting) == ("web", "u1", "web", "")
    since = stream("log", "sinceTime=2026-05-01T12:00:00Z").log.since
    assert since == datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("tailLines=-1", 422,
         'PodLogOptions "" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0'),
        ("limitBytes=0", 422, 'PodLogOptions "" is invalid: limitBytes: Invalid value: 0: must be greater than 0'),
        ("sinceSeconds=0", 422, 'PodLogOptions "" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0'),
        ("tailLines=ten", 400, 'strconv.ParseInt: parsing "ten": invalid syntax'),
        ("tailLines=²", 400, 'strconv.ParseInt: parsing "²": invalid syntax'),
        ("sinceTime=yesterday", 400, 'sinceTime: "yesterday" is no time as RFC 3339 writes it'),
        ("container=nope", 400, "container nope is not valid for pod web"),
    ],
)  # fmt: skip
def test_logs_that_are_refused(query: str, code: int, message: str) -> None:
    assert refused("log", query) == (code, message)


def test_since_is_said_once() -> None:
    code, message = refused("log", "sinceSeconds=5&sinceTime=2026-05-01T12:00:00Z")
    assert code == 422
    assert "at most one of `sinceTime` or `sinceSeconds` may be specified" in message


def test_one_of_several_containers_must_be_named() -> None:
    wanted = "a container name must be specified for pod web, choose one of: [a b]"
    assert refused("log", "", pod("a", "b")) == (400, wanted)
    code, message = refused("exec", "command=ls&stdout=true", pod("a", "b", init=("i",)))
    assert (code, message) == (400, f"{wanted} or one of the init containers: [i]")
    assert container_of(pod("a", "b", init=("i",)), "i") == "i"


def test_a_container_that_waits_tells_why() -> None:
    assert stream("log", "", pod(state="waiting")).waiting == "ImagePullBackOff"
    assert stream("log", "", {**pod(), "status": {}}).waiting == "ContainerCreating"


def test_a_program() -> None:
    found = stream(
        "exec", "command=sh&command=-c&command=ls&stdin=true&stdout=true&stderr=true&container=b", pod("a", "b")
    )
    assert found.command == ("sh", "-c", "ls")
    assert (found.stdin, found.stdout, found.stderr, found.tty) == (True, True, True, False)
    assert found.environment == (("K", "of b"),)
    assert found.ip == "10.244.0.5"


@pytest.mark.parametrize(
    ("kind", "query", "message"),
    [
        ("exec", "command=ls", "you must specify at least 1 of stdin, stdout, stderr"),
        ("attach", "", "you must specify at least 1 of stdin, stdout, stderr"),
        ("exec", "stdout=true", "you must specify at least one command for the container"),
        ("exec", "stdout=true&command=a%00", "a command cannot contain a null character"),
        ("portforward", "ports=0", "unable to parse '0' as a port"),
        ("portforward", "ports=80,65536", "unable to parse '65536' as a port"),
        ("portforward", "ports=" + ",".join(["1"] * 129), "at most 128 ports are forwarded by one request"),
    ],
)
def test_programs_and_ports_that_are_refused(kind: str, query: str, message: str) -> None:
    assert refused(kind, query) == (400, message)


def test_ports() -> None:
    assert stream("portforward", "ports=80,443&ports=8080", pod("a", "b")).ports == (80, 443, 8080)


def test_a_pod_without_a_node_runs_nothing_and_has_an_empty_log() -> None:
    assert stream("log", "", pod(node="")).node == ""
    assert refused("attach", "stdout=1", pod(node="")) == (400, "pod web does not have a host assigned")


@pytest.mark.parametrize("kind", ["exec", "attach", "portforward"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_reaching_into_a_pod_needs_the_right_to_create(kind: str, method: str) -> None:
    assert authorized_as(target_of(request(kind, method=method))).verb == "create"


@pytest.mark.parametrize("kind", ["log", "status", "proxy"])
def test_reading_needs_the_right_to_read(kind: str) -> None:
    target = target_of(request(kind))
    assert authorized_as(target) == target
    assert target.verb == "get"


OPTIONS = ("tailLines", "limitBytes", "sinceSeconds", "sinceTime", "command", "stdin", "tty", "ports", "container")


@given(
    st.sampled_from(["log", "exec", "attach", "portforward"]),
    st.dictionaries(st.sampled_from(OPTIONS), st.text(max_size=12)),
)
def test_any_query_is_understood_or_refused(kind: str, query: dict[str, str]) -> None:
    asked = Request(method="GET", path=f"/api/v1/namespaces/a/pods/web/{kind}", query=tuple(query.items()))
    with contextlib.suppress(BadRequest, Invalid):
        assert stream_of(asked, target_of(asked), pod()).kind == kind
