"""The stand-in for Envoy keeps the last good content and notices dangling references."""

from pathlib import Path

from switchboard.apply import envoy
from switchboard.apply.envoy_fake import FakeEnvoy
from switchboard.compile import gateway as compiler
from switchboard.rules import discovery
from switchboard.view.model import View
from switchboard.view.route import Gateway


def test_what_cannot_be_read_leaves_the_content_before(tmp_path: Path) -> None:
    wanted, _ = compiler.compile(Gateway(name="g"), View())
    envoy.write(wanted, str(tmp_path))
    reader = FakeEnvoy(str(tmp_path))
    assert reader.ready()
    broken = b'{"version_info":"1","resources":[{"@type":"unknown"}]}'
    envoy.put(tmp_path / discovery.LISTENERS, broken)
    (rejected,) = reader.settle({discovery.LISTENERS: "1"})
    assert rejected.file == discovery.LISTENERS
    assert reader.config == wanted


def test_a_missing_table_is_a_problem(tmp_path: Path) -> None:
    wanted, _ = compiler.compile(Gateway(name="g"), View())
    envoy.write(wanted, str(tmp_path))
    (tmp_path / "rds" / "http.json").unlink()
    assert FakeEnvoy(str(tmp_path)).problems == ["filter chain http refers to routes http, which do not exist"]


def test_an_empty_directory_is_not_ready(tmp_path: Path) -> None:
    assert not FakeEnvoy(str(tmp_path)).ready()
