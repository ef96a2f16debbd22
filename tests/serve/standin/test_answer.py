"""Answers: what is decided for a request, and what the JSON says."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.k8s.names import STANDIN_PREFIX
from switchboard.serve.standin.answer import Decision, PodFacts, Request, answer, client_ip, decide
from switchboard.serve.standin.behaviour import ECHO, Behaviour, read_behaviour
from switchboard.serve.standin.seen import Seen

POD = PodFacts(
    namespace="shop",
    name="web-0",
    node="node-a",
    zone="zone-1",
    ip="10.244.0.7",
    labels={"app": "web"},
    images=("shop/web:1",),
    service="web",
)
RNG = random.Random(1)
PLAIN = Decision()


def behave(echo=None, **annotations):
    values = {STANDIN_PREFIX + key.replace("_", "-"): value for key, value in annotations.items()}
    behaviour, findings = read_behaviour(values if echo is None else {**values, ECHO: echo}, "shop/web-0")
    assert findings == ()
    return behaviour


def ask(headers=None, **fields):
    return (
        Request(method="GET", path="/", headers=headers or {}, **fields)
        if "path" not in fields
        else Request(method=fields.pop("method", "GET"), headers=headers or {}, **fields)
    )


def document(request, *, pod=POD, decision=PLAIN, seen=None, calls=()):
    return msgspec.json.decode(answer(pod, request, decision, seen or Seen(), calls).body)


def test_the_document_has_every_fact_of_pod_and_request():
    request = Request(
        method="POST",
        path="/a?b=c",
        headers={"host": "shop.test", "x-a": "1"},
        host="shop.test",
        peer="10.244.1.1",
        port=8443,
        protocol="HTTP/2",
        tls=True,
        body_length=5000,
        body=b"caf\xc3\xa9",
    )
    assert document(request) == {
        "service": "shop/web",
        "pod": "web-0",
        "namespace": "shop",
        "node": "node-a",
        "zone": "zone-1",
        "podIP": "10.244.0.7",
        "labels": {"app": "web"},
        "images": ["shop/web:1"],
        "method": "POST",
        "path": "/a?b=c",
        "host": "shop.test",
        "headers": {"host": "shop.test", "x-a": "1"},
        "clientIP": "10.244.1.1",
        "peer": "10.244.1.1",
        "port": 8443,
        "protocol": "HTTP/2",
        "tls": True,
        "bodyLength": 5000,
        "body": "cafÃ©",
    }


@pytest.mark.parametrize(("service", "expected"), [("", None), ("web", "shop/web"), ("shop/web", "shop/web")])
def test_service_is_told_only_when_there_is_exactly_one(service, expected):
    pod = msgspec.structs.replace(POD, service=service)
    assert document(ask(), pod=pod).get("service") == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "10.0.0.9"),
        ({"x-forwarded-for": "203.0.113.7, 10.0.0.1"}, "203.0.113.7"),
        ({"x-forwarded-for": ""}, "10.0.0.9"),
        ({"x-forwarded-for": "203.0.113.7", "x-real-ip": "198.51.100.2"}, "198.51.100.2"),
    ],
)
def test_client_address(headers, expected):
    assert client_ip(ask(headers, peer="10.0.0.9")) == expected


@pytest.mark.parametrize(
    ("echo", "headers", "expected"),
    [
        ("{}", {}, Decision()),
        ('{"status": 503}', {}, Decision(status=503)),
        ('{"status": 503}', {"x-echo-status": "201"}, Decision(status=201)),
        ("{}", {"x-echo-delay-ms": "250"}, Decision(delay=0.25)),
        ('{"delayMs": 20}', {"x-echo-delay-ms": "0"}, Decision()),
        ("{}", {"x-echo-abort": ""}, Decision(abort=True)),
        ('{"abort": true}', {}, Decision(abort=True)),
        ('{"grpcStatus": 5}', {}, Decision(grpc_status=5)),
        ("{}", {"x-echo-chunks": "3"}, Decision(chunks=3)),
        (
            '{"headers": {"X-A": "1", "X-B": "1"}}',
            {"x-echo-headers": '{"X-A": ["2", "3"]}'},
            Decision(headers=(("X-B", "1"), ("X-A", "2"), ("X-A", "3"))),
        ),
        (
            '{"status": 401, "headers": {"X-Reason": "no"}, "rules": [{"when": {"headers": {"X-Token": "t"}},'
            ' "status": 200, "headers": {"X-User": "alice"}}]}',
            {"x-token": "t"},
            Decision(status=200, headers=(("X-User", "alice"),)),
        ),
        ('{"rules": [{"when": {"cookies": {"a": "1"}}, "status": 404}]}', {"cookie": "b=2; a=1"}, Decision(status=404)),
        ('{"rules": [{"when": {"cookies": {"a": "1"}}, "status": 404}]}', {"cookie": "a=2"}, Decision()),
        ('{"rules": [{"when": {"method": "PUT"}, "status": 404}]}', {}, Decision()),
        ('{"rules": [{"when": {"pathPrefix": "/x"}, "status": 404}]}', {}, Decision()),
        ('{"rules": [{"status": 404}, {"status": 405}]}', {}, Decision(status=404)),
    ],
)
def test_decisions(echo, headers, expected):
    assert decide(behave(echo), ask(headers), RNG) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"x-echo-status": "x"},
        {"x-echo-status": "101"},
        {"x-echo-delay-ms": "-1"},
        {"x-echo-headers": "{"},
        {"x-echo-headers": '{"a": "\\r\\nb: c"}'},
        {"x-echo-headers": "[" * 9999},
        {"x-echo-headers": "\xff"},
        {"x-echo-chunks": "65"},
    ],
)
def test_wishes_that_cannot_be_read_are_400_and_say_why(headers):
    decision = decide(Behaviour(), ask(headers), RNG)
    assert decision.status == 400
    assert decision.reason.startswith(next(iter(headers)))
    assert document(ask(headers), decision=decision)["standIn"] == decision.reason


def test_errors_come_at_their_rate_and_say_so():
    behaviour, rng = behave(error_rate="20%", error_status="502"), random.Random(3)
    decisions = [decide(behaviour, ask(), rng) for _ in range(5000)]
    failed = [decision for decision in decisions if decision.status == 502]
    assert 900 < len(failed) < 1100
    assert {decision.reason for decision in failed} == {"error-rate"}
    assert {decision.status for decision in decisions} == {200, 502}


def test_latency_adds_to_a_wish_for_delay():
    assert decide(behave(latency="20ms"), ask({"x-echo-delay-ms": "10"}), RNG).delay == pytest.approx(0.03)


def test_questions_about_seen_requests_are_spared_errors_and_latency():
    behaviour = behave(error_rate="100%", latency="1s")
    assert decide(behaviour, ask(path="/__seen/1"), RNG) == Decision()


def test_a_starting_pod_answers_503():
    assert decide(Behaviour(), ask(), RNG, starting=True).status == 503


def test_seen_requests():
    seen = Seen()
    document(ask({"x-corpus-id": "i"}, path="/one", body=b"x", body_length=1), seen=seen)
    told = document(ask(path="/__seen/i?x=1"), seen=seen)
    assert told["seen"] == 1
    assert told["requests"] == [
        {"method": "GET", "path": "/one", "headers": {"x-corpus-id": "i"}, "pod": "web-0", "bodyLength": 1, "body": "x"}
    ]
    assert document(ask(path="/__seen/other"), seen=seen)["seen"] == 0


def test_siblings_of_a_service_remember_together_and_pods_without_one_alone():
    seen = Seen()
    sibling = msgspec.structs.replace(POD, name="web-1")
    document(ask({"x-corpus-id": "i"}), pod=sibling, seen=seen)
    assert document(ask(path="/__seen/i"), seen=seen)["requests"][0]["pod"] == "web-1"
    lonely = msgspec.structs.replace(POD, service="")
    assert document(ask(path="/__seen/i"), pod=lonely, seen=seen)["seen"] == 0


@pytest.mark.parametrize("status", [204, 304])
def test_some_statuses_have_no_body(status):
    response = answer(POD, ask(), Decision(status=status), Seen())
    assert (response.body, response.headers) == (b"", ())


def test_headers_of_framing_are_not_taken_over_and_a_content_type_is_not_doubled():
    decision = Decision(headers=(("Content-Length", "1"), ("Transfer-Encoding", "x"), ("content-type", "text/html")))
    assert answer(POD, ask(), decision, Seen()).headers == (("content-type", "text/html"),)


def test_calls_are_shown():
    assert document(ask(), calls=[{"url": "http://a/", "status": 200}])["calls"] == [
        {"url": "http://a/", "status": 200}
    ]


@given(st.dictionaries(st.sampled_from(["x-echo-status", "x-echo-delay-ms", "x-echo-headers", "x-echo-chunks", "cookie",
    "x-corpus-id"]), st.text(st.characters(max_codepoint=255))), st.text(st.characters(max_codepoint=255)))  # fmt: skip
def test_any_request_is_answered(headers, path):
    request = ask(headers, path=path)
    response = answer(
        POD, request, decide(behave('{"rules": [{"when": {"cookies": {"a": "1"}}}]}'), request, RNG), Seen()
    )
    assert 200 <= response.status <= 599
