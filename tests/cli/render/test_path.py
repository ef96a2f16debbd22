"""The picture of a path."""

from __future__ import annotations

import io
from pathlib import Path as FilePath

import msgspec
import pytest
from msgspec.structs import replace
from rich.console import Console

from switchboard.cli.render.path import PathPicture
from switchboard.trace.path import trace
from switchboard.trace.request import OutsideRequest
from switchboard.trace.result import Path
from switchboard.view.model import View

CASES = FilePath(__file__).parents[2] / "cases" / "trace"


def drawn(path: Path, *, terminal: bool = False, width: int = 100) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=width, legacy_windows=False)
    console.print(PathPicture(path))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.fixture
def view() -> View:
    return msgspec.json.decode((CASES / "payments-view.json").read_bytes(), type=View)


def path_of(view: View, url: str = "https://api.example.com/") -> Path:
    return trace(view, OutsideRequest(url=url))


def test_picture_for_a_pipe(view: View) -> None:
    text = drawn(path_of(view))
    assert text.isascii()
    assert text == (CASES / "payments-path.txt").read_text()


def test_picture_for_a_terminal_has_the_same_words(view: View) -> None:
    fancy = drawn(path_of(view), terminal=True)
    assert "\x1b[" in fancy
    assert "●" in fancy
    for word in ("198.51.100.10:443", "certificate of Secret payments/api-tls", "22.5 %", "weight 10 of 100"):
        assert word in fancy


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_lines_fit(view: View, width: int) -> None:
    assert max(map(len, drawn(path_of(view), width=width).splitlines())) <= width


def test_a_bad_end_says_why_and_what_to_do(view: View) -> None:
    lines = drawn(path_of(view, "https://172.18.0.3:30443/")).splitlines()
    assert lines[-3].startswith("!! dropped       externalTrafficPolicy is Local and node node-3")
    assert "set externalTrafficPolicy to Cluster" in lines[-1]


def test_long_verdicts_keep_their_reason(view: View) -> None:
    services = [replace(s, endpoints=s.endpoints[:1]) if s.port == 443 else s for s in view.services]
    text = drawn(path_of(replace(view, services=tuple(services))))
    assert "!! not always answered" in text
    assert "50.0% of connections are not answered" in text


def test_many_choices_are_cut(view: View) -> None:
    port = view.services[0]
    many = tuple(replace(port.endpoints[0], address=f"10.244.7.{i}", pod=f"payments/p-{i}") for i in range(50))
    text = drawn(path_of(replace(view, services=(replace(port, endpoints=many), *view.services[1:]))))
    assert "... and 40 more with 78.4 % together" in text
