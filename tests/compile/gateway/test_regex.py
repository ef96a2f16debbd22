"""What RE2 takes; ``tests/live/gateway`` shows that Envoy agrees."""

import pytest

from switchboard.compile.gateway.regex import problem, quote


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "/a(/|$)(.*)",
        "/v[0-9]+/(.*)",
        "^v2$",
        "[a-z]{3}",
        "(?i)x",
        "(?:a|b)?",
        "(?P<x>a)",
        r"\/x\.y",
        r"[^/.\]]*?",
        "[]a]",
        "[^]a]",
        "a{2,}",
        "x{1000}",
        "/~user",
    ],
)
def test_both_languages_take_it(pattern: str) -> None:
    assert problem(pattern) == ""


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)",
        "(?!a)",
        "(?<=a)b",
        "(?>a)",
        "a++",
        "a**",
        r"(a)\1",
        "(?P<x>a)(?P=x)",
        "(?#note)a",
        "(?(1)a|b)",
        "[(*",
        "(a",
        "a)",
        "{",
        "x{1001}",
        "(a{100}){100}",
        r"\p{L}",
        r"\Z",
        r"\u0041",
        "[[:alpha:]]",
        "*a",
        "[b-a]",
        "a" * 2001,
    ],
)
def test_refused_with_a_reason(pattern: str) -> None:
    assert problem(pattern)


def test_quoted_text_matches_itself_only() -> None:
    import re

    text = r"*.a-b_c.test+$^(x)[y]{1}\|?"
    assert re.fullmatch(quote(text), text)
    assert not problem(quote(text))
    assert not re.fullmatch(quote("a.b"), "axb")
