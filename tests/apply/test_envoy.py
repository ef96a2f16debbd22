"""Writing for Envoy: only differences, privately, in an order in which no instant is broken."""

import json
from pathlib import Path

import pytest

from switchboard.apply import envoy
from switchboard.apply.envoy_fake import FakeEnvoy
from switchboard.compile import gateway as compiler
from switchboard.rules import discovery
from switchboard.view.model import View
from switchboard.view.route import Backend, Gateway, PathMatch, Route
from switchboard.view.service import Endpoint, ServicePort


def config(*names: str, address: str = "10.0.0.1") -> discovery.EnvoyConfig:
    """One host and one service for each name."""
    ports = tuple(
        ServicePort(namespace="ns", name=n, port_name="", protocol="TCP", port=80, endpoints=(Endpoint(address, 8080),))
        for n in names
    )
    routes = tuple(
        Route(
            owner=f"Ingress ns/{p.name}",
            field="f",
            host=f"{p.name}.test",
            path="/",
            match=PathMatch.PREFIX,
            backend=Backend(f"ns/{p.name}", "80", p.key),
        )
        for p in ports
    )
    made, findings = compiler.compile(Gateway(name="nginx", routes=routes), View(services=ports))
    assert findings == ()
    return made


def test_the_first_write_holds_everything(tmp_path: Path) -> None:
    directory = str(tmp_path / "envoy")
    wanted = config("a", "b")
    assert set(envoy.write(wanted, directory)) == set(discovery.render(wanted, directory))
    assert FakeEnvoy(directory).config == wanted


def test_writing_again_writes_nothing(tmp_path: Path) -> None:
    envoy.write(config("a"), str(tmp_path))
    assert envoy.write(config("a"), str(tmp_path)) == []


def test_a_change_of_endpoints_is_one_file(tmp_path: Path) -> None:
    envoy.write(config("a", "b"), str(tmp_path))
    assert envoy.write(config("a", "b", address="10.0.0.9"), str(tmp_path)) == ["cds.json"]


@pytest.mark.parametrize(
    ("before", "after"), [("ab", "bc"), ("a", "abc"), ("abc", "c"), ("a", ""), ("", "a"), ("a", "b")]
)
def test_no_instant_refers_to_what_is_missing(before: str, after: str, tmp_path: Path) -> None:
    envoy.write(config(*before), str(tmp_path))
    reader = FakeEnvoy(str(tmp_path))
    written, rejected = envoy.publish(config(*after), str(tmp_path), [reader])
    assert rejected == ()
    assert written
    assert reader.problems == []
    reader.settle({})
    assert reader.config == config(*after)


def test_change_and_revert_restores_every_byte(tmp_path: Path) -> None:
    envoy.write(config("a", "b"), str(tmp_path))
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.json")}
    envoy.write(config("b", "c"), str(tmp_path))
    envoy.write(config("a", "b"), str(tmp_path))
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.json")} == before


def test_phases_are_told_to_every_reader_in_order(tmp_path: Path) -> None:
    envoy.write(config("a"), str(tmp_path))
    readers = [FakeEnvoy(str(tmp_path)), FakeEnvoy(str(tmp_path))]
    envoy.publish(config("b"), str(tmp_path), readers)
    kinds = [sorted({name.partition("/")[0] for name in phase}) for phase in readers[1].history]
    assert kinds == [["cds.json"], ["rds"], ["cds.json"]]
    assert readers[0].history == readers[1].history


def test_rejections_are_returned_once(tmp_path: Path) -> None:
    envoy.write(config("a"), str(tmp_path))

    def refuse(file: str, _: bytes) -> str:
        return "no" if file == "rds/http.json" else ""

    readers = [FakeEnvoy(str(tmp_path)), FakeEnvoy(str(tmp_path))]
    for reader in readers:
        reader._refuse = refuse
    _, rejected = envoy.publish(config("b"), str(tmp_path), readers)
    assert [(r.file, r.reason) for r in rejected] == [("rds/http.json", "no")]


def test_files_are_private(tmp_path: Path) -> None:
    directory = tmp_path / "envoy"
    envoy.write(config("a"), str(directory))
    envoy.argv(str(directory), str(tmp_path / "pod"), node="n")
    for path in (directory, *directory.rglob("*"), *(tmp_path / "pod").rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_command_line_starts_the_binary_without_a_port_for_administration(tmp_path: Path) -> None:
    command = envoy.argv(str(tmp_path / "c"), str(tmp_path / "p"), node="gw-0", concurrency=2)
    assert Path(command[0]).name == "envoy"
    assert "--disable-hot-restart" in command
    assert command[command.index("--concurrency") + 1] == "2"
    bootstrap = json.loads(Path(command[command.index("-c") + 1]).read_bytes())
    assert bootstrap["node"]["id"] == "gw-0"
    assert bootstrap["admin"]["address"] == {"pipe": {"path": str(tmp_path / "p" / envoy.ADMIN), "mode": 0o600}}
