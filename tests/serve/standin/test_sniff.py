"""First bytes: what each client's protocol is taken for, at every length of its beginning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.serve.standin.sniff import LONGEST_LINE, PREFACE, Kind, awaits_line, classify, classify_overdue

HELLO = bytes.fromhex("160301020001000001fc0303")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (HELLO, Kind.TLS),
        (b"\x16\x03\x01\x02\x00\x02", Kind.RAW),
        (b"\x16\x02", Kind.RAW),
        (b"\x16hello", Kind.RAW),
        (PREFACE, Kind.HTTP2),
        (b"PRI * HTTP/2.0\r\n", Kind.HTTP2),
        (b"PRI * HTTP/1.1\r\n", Kind.RAW),
        (b"GET / HTTP/1.1\r\n", Kind.HTTP1),
        (b"GET / HTTP/1.0\n", Kind.HTTP1),
        (b"GET /a b HTTP/1.1\r\n", Kind.HTTP1),
        (b"PROPFIND /x HTTP/1.1\r\nHost: a", Kind.HTTP1),
        (b"GET key\r\n", Kind.RAW),
        (b"get / HTTP/1.1\r\n", Kind.RAW),
        (b"PING", Kind.RAW),
        (b"hello", Kind.RAW),
        (b"\0", Kind.RAW),
        (b"\r\n", Kind.RAW),
        (b"BREW / HTTP/1.1\r\n", Kind.RAW),
        (b"GET /" + b"a" * LONGEST_LINE, Kind.HTTP1),
    ],
)
def test_kinds(data, kind):
    assert classify(data) is kind
    assert classify_overdue(data) is kind


@pytest.mark.parametrize("whole", [HELLO[:6], PREFACE[:16], b"GET / HTTP/1.1\r\n", b"POST /x HTTP/1.0\n"])
def test_every_beginning_waits_for_more(whole):
    assert [classify(whole[:length]) for length in range(len(whole))] == [None] * len(whole)


@pytest.mark.parametrize(
    ("data", "kind"), [(b"G", Kind.RAW), (b"PRI *", Kind.RAW), (b"\x16\x03", Kind.RAW), (b"GET /", Kind.HTTP1)]
)
def test_silence_decides(data, kind):
    assert classify(data) is None
    assert classify_overdue(data) is kind
    assert awaits_line(data) is (kind is Kind.HTTP1)


@given(st.binary() | st.sampled_from([HELLO, PREFACE, b"GET / HTTP/1.1\r\n\r\n"]), st.binary())
def test_more_bytes_never_change_a_decision(data, more):
    known = classify(data)
    if known is not None:
        assert classify(data + more) is known
    assert classify_overdue(data) in Kind
