"""URLs as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.base.findings import Finding
from switchboard.trace.request import Url, canonical_address, parse_url


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("https://API.example.com/", ("https", "api.example.com", 443, "/")),
        ("http://api.example.com.", ("http", "api.example.com", 80, "/")),
        ("https://198.51.100.11:8443/a/b?c=/d", ("https", "198.51.100.11", 8443, "/a/b")),
        ("https://[2001:db8::1]/x", ("https", "2001:db8::1", 443, "/x")),
        ("postgres.data:5432", ("tcp", "postgres.data", 5432, "/")),
        ("udp://10.96.0.10:53", ("udp", "10.96.0.10", 53, "/")),
    ],
)
def test_parts(text: str, parts: tuple[str, str, int, str]) -> None:
    assert parse_url(text) == Url(*parts)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("https://", "names no host"),
        ("ftp://a/", "scheme 'ftp'"),
        ("postgres", "needs a port"),
        ("http://a:99999/", "is not a URL"),
        ("http://[::1/", "is not a URL"),
        ("", "names no host"),
    ],
)
def test_what_is_wrong_is_a_finding(text: str, complaint: str) -> None:
    found = parse_url(text)
    assert isinstance(found, Finding)
    assert complaint in found.message


@given(st.text(max_size=40))
def test_no_text_raises(text: str) -> None:
    assert isinstance(parse_url(text), Url | Finding)


@pytest.mark.parametrize(
    "text", ["https://a.example/", "http://a.example:8080/x", "https://[2001:db8::1]:444/", "tcp://a:1/"]
)
def test_written_again(text: str) -> None:
    assert str(parse_url(text)) == text


def test_addresses_are_canonical() -> None:
    assert canonical_address("2001:DB8:0::1") == "2001:db8::1"
    assert canonical_address("198.51.100.1") == "198.51.100.1"
    assert canonical_address("example.com") == ""
    assert parse_url("https://[2001:DB8::0:1]/") == Url("https", "2001:db8::0:1", 443, "/")
