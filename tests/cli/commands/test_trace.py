"""The trace command over a view in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from switchboard.base.errors import UsageError
from switchboard.cli.commands.trace import COMMAND, request_of, view_from_file
from switchboard.trace.request import OutsideRequest, PodRequest
from switchboard.view.model import View

VIEW = Path(__file__).parents[2] / "cases" / "trace" / "payments-view.json"


def run(*words: str) -> Result:
    return CliRunner().invoke(COMMAND, [*words, "--view", str(VIEW)], standalone_mode=False)


def test_text() -> None:
    result = run("203.0.113.7", "https://api.example.com/")
    assert result.return_value == 0
    assert result.output.startswith("* client         outside client 203.0.113.7")
    assert result.output.rstrip().endswith("OK answered      payments/app-v1 90 %, payments/app-v2 10 %")


def test_json() -> None:
    result = run("outside", "https://api.example.com/", "-o", "json")
    document = json.loads(result.output)
    assert (document["kind"], document["verdict"], result.return_value) == ("Path", "answered", 0)
    assert document["services"][1]["probability"] == {"exact": "1/10", "value": 0.1}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("outside", "http://api.example.com/"), 0, "redirected"),
        (("outside", "https://172.18.0.3:30443/"), 1, "dropped"),
        (("outside", "https://api.example.com/", "--address", "172.18.0.1"), 1, "unknown"),
        (("pod/payments/app-v1-0", "http://app-v2/"), 0, "answered"),
        (("pod/payments/gone", "http://app-v2/"), 2, "no pod payments/gone"),
        (("outside", "nonsense"), 2, "needs a port"),
    ],
)
def test_exit_codes_are_those_of_every_format(words: tuple[str, ...], code: int, says: str) -> None:
    text, document = run(*words), run(*words, "-o", "json")
    assert (text.return_value, document.return_value) == (code, code)
    assert says in text.output


def test_words_become_requests() -> None:
    assert request_of("outside", "u", ("X-A: b:c",), ("s=always",), "") == OutsideRequest(
        url="u", headers={"X-A": "b:c"}, cookies={"s": "always"}
    )
    assert request_of("2001:DB8::1", "u", (), (), "192.0.2.1") == OutsideRequest(
        url="u", client="2001:db8::1", address="192.0.2.1"
    )
    assert request_of("pod/web", "u", (), (), "") == PodRequest(pod="default/web", url="u")


@pytest.mark.parametrize(
    ("source", "headers", "cookies"), [("somebody", (), ()), ("outside", ("X-A",), ()), ("outside", (), ("=always",))]
)
def test_wrong_words(source: str, headers: tuple[str, ...], cookies: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        request_of(source, "u", headers, cookies, "")


def test_views_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text('{"nodes": [{}]}')
    for file in (tmp_path / "none", tmp_path / "broken"):
        with pytest.raises(UsageError):
            view_from_file(file)


class Cluster:
    """The one method of the machine that the command needs."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def view(self, name: str) -> View:
        self.asked.append(name)
        return view_from_file(VIEW)


def test_without_a_file_the_running_cluster_is_traced() -> None:
    cluster = Cluster()
    words = ["outside", "https://api.example.com/", "--name", "mine"]
    assert CliRunner().invoke(COMMAND, words, obj=cluster, standalone_mode=False).return_value == 0
    assert cluster.asked == ["mine"]
