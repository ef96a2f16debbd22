"""Annotations of stand-ins: what each value means, and that wrong ones become findings."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.base.findings import Severity
from switchboard.k8s.names import STANDIN_PREFIX
from switchboard.serve.standin.behaviour import (
    ANNOTATIONS,
    ECHO,
    Behaviour,
    Effects,
    Latency,
    parse_duration,
    parse_headers,
    parse_latency,
    parse_rate,
    parse_status,
    read_behaviour,
)


def read(**annotations):
    behaviour, findings = read_behaviour(
        {STANDIN_PREFIX + key.replace("_", "-"): value for key, value in annotations.items()}, "shop/web-0"
    )
    assert findings == ()
    return behaviour


def echo(text):
    return read_behaviour({ECHO: text}, "shop/web-0")


def test_without_annotations_nothing_is_special():
    assert read_behaviour({"app": "x", "other.example/latency": "1s"}, "shop/web-0") == (Behaviour(), ())


@pytest.mark.parametrize(("name", "annotation"), ANNOTATIONS.items())
def test_each_example_is_read_and_changes_the_behaviour(name, annotation):
    assert read(**{name: annotation.example}) != Behaviour()
    assert annotation.sentence


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20ms", 0.02), ("3s", 3), ("1m30s", 90), ("1.5h", 5400), ("5us", 5e-6), ("0", 0), (" 1s ", 1)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "20", "-1s", "1s 2s", "ms", "1d", "1e3s", "25h", "9" * 400 + "s"])
def test_texts_that_are_no_durations(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the message is for people
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "latency"),
    [
        ("20ms", Latency(0.02)),
        ("20ms±5ms", Latency(0.02, 0.005)),
        ("20ms+-5ms", Latency(0.02, 0.005)),
        ("p50=20ms,p99=80ms", Latency(0.02, p99=0.08)),
        ("p99=80ms, p50=20ms", Latency(0.02, p99=0.08)),
    ],
)
def test_latencies(text, latency):
    assert parse_latency(text) == latency


@pytest.mark.parametrize("text", ["fast", "p50=20ms", "p50=80ms,p99=20ms", "p50=0,p99=1s", "p50=1us,p99=23h", "20ms±x"])
def test_texts_that_are_no_latencies(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_latency(text)


def test_drawn_latencies_have_the_quantiles_asked_for():
    rng, latency = random.Random(7), parse_latency("p50=20ms,p99=80ms")
    drawn = sorted(latency.draw(rng) for _ in range(20_000))
    assert drawn[10_000] == pytest.approx(0.02, rel=0.03)
    assert drawn[19_800] == pytest.approx(0.08, rel=0.1)


def test_drawn_latencies_stay_within_the_spread():
    rng, latency = random.Random(7), parse_latency("2ms±5ms")
    drawn = [latency.draw(rng) for _ in range(1000)]
    assert min(drawn) == 0
    assert 0.0068 < max(drawn) <= 0.007
    assert Latency(0.02).draw(rng) == 0.02


@pytest.mark.parametrize(("text", "rate"), [("0.5%", 0.005), ("100%", 1), ("0.25", 0.25), ("0", 0)])
def test_rates(text, rate):
    assert parse_rate(text) == pytest.approx(rate)


@pytest.mark.parametrize("text", ["", "%", "101%", "-1%", "1.5", "nan", "half"])
def test_texts_that_are_no_rates(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_rate(text)


@pytest.mark.parametrize("text", ["", "99", "101", "600", "-200", "2e2", "abc"])
def test_texts_that_are_no_final_status(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_status(text)


def test_a_bad_value_is_a_finding_and_the_rest_counts():
    behaviour, findings = read_behaviour(
        {STANDIN_PREFIX + "latency": "soon", STANDIN_PREFIX + "status": "404"}, "shop/web-0"
    )
    assert behaviour == Behaviour(effects=Effects(status=404))
    (finding,) = findings
    assert finding.severity is Severity.ERROR
    assert finding.object == "Pod shop/web-0"
    assert finding.field == "metadata.annotations[standin.switchboard.dev/latency]"
    assert "soon" in finding.message


def test_an_unknown_annotation_is_a_warning_that_lists_the_known():
    _, (finding,) = read_behaviour({STANDIN_PREFIX + "latencey": "1s"}, "shop/web-0")
    assert finding.severity is Severity.WARNING
    assert "latency" in finding.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ignore-sigterm", "yes"),
        ("calls", "stock"),
        ("calls", "ftp://x/"),
        ("propagate", "a b:c"),
        ("tls-ports", "0"),
        ("tls-ports", "https"),
        ("tls-secret", "../x"),
        ("error-status", "1000"),
        ("start-after", "-3s"),
    ],
)
def test_other_bad_values(name, value):
    behaviour, findings = read_behaviour({STANDIN_PREFIX + name: value}, "shop/web-0")
    assert behaviour == Behaviour()
    assert len(findings) == 1


def test_a_secret_makes_all_ports_tls_unless_ports_are_named():
    assert not read().demands_tls(8443)
    assert read(tls_secret="app-tls").demands_tls(8080)
    limited = read(tls_secret="app-tls", tls_ports="8443")
    assert limited.demands_tls(8443)
    assert not limited.demands_tls(8080)


def test_echo_json():
    behaviour, findings = echo(
        '{"status": 503, "delayMs": 20, "headers": {"X-A": ["1", "2"]}, "tls": "s", "grpc": true, "grpcStatus": 7,'
        ' "rules": [{"when": {"headers": {"X-B": "1"}, "cookies": {"c": "2"}, "pathPrefix": "/p", "method": "PUT"},'
        ' "abort": true}]}'
    )
    assert findings == ()
    assert behaviour.effects == Effects(status=503, delay=0.02, headers=(("X-A", "1"), ("X-A", "2")), grpc_status=7)
    assert behaviour.tls_secret == "s"
    (rule,) = behaviour.rules
    assert rule.headers == (("x-b", "1"),)
    assert (rule.cookies, rule.path_prefix, rule.method) == ((("c", "2"),), "/p", "PUT")
    assert rule.effects == Effects(abort=True)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"colour": 1}',
        '{"status": "many"}',
        '{"status": 100}',
        '{"delayMs": -1}',
        '{"delayMs": true}',
        '{"grpcStatus": 1e300}',
        '{"headers": {"a b": "1"}}',
        '{"headers": {"a": "1\\r\\nb: 2"}}',
        '{"headers": 1}',
        '{"tls": "A B"}',
        '{"rules": {}}',
        '{"rules": [1]}',
        '{"rules": [{"when": {"port": 80}}]}',
        '{"rules": [{"when": {"method": 1}}]}',
        '{"rules": [{"when": []}]}',
        "[" * 5000,
    ],
)
def test_bad_echo_json_is_one_finding_and_has_no_effect(text):
    behaviour, findings = echo(text)
    assert behaviour == Behaviour()
    assert len(findings) == 1


def test_own_status_beats_that_of_the_echo_json():
    behaviour, _ = read_behaviour({ECHO: '{"status": 500}', STANDIN_PREFIX + "status": "404"}, "shop/web-0")
    assert behaviour.effects.status == 404


def test_effects_lie_over_each_other():
    below = Effects(status=500, delay=1.0, headers=(("A", "1"),))
    assert below.under(Effects(status=200, headers=())) == Effects(status=200, delay=1.0, headers=())


def test_headers_cannot_smuggle():
    with pytest.raises(ValueError, match="not a header field"):
        parse_headers({"a\r\nb": "1"})


@given(
    st.text() | st.from_regex(r"[0-9.]{0,5}(ms|s|h|%|±|p50=|,)+", fullmatch=True), st.sampled_from(sorted(ANNOTATIONS))
)
def test_any_annotation_text_is_read_or_found(text, name):
    behaviour, findings = read_behaviour({STANDIN_PREFIX + name: text}, "a/b")
    assert (behaviour == Behaviour()) or not findings


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["status", "headers", "when", "rules", "x"]), inner)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["status", "headers", "delayMs", "abort", "grpcStatus", "tls", "rules"]), JSON, max_size=7
    )
)
def test_any_echo_json_never_raises(value):
    import msgspec

    read_behaviour({ECHO: msgspec.json.encode(value).decode()}, "a/b")


@given(st.text())
def test_any_echo_text_never_raises(text):
    echo(text)
