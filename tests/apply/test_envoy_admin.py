"""What Envoy's statistics and log say, read over a Unix socket from a server that answers like Envoy."""

import json
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from switchboard.apply import envoy
from switchboard.apply.envoy_admin import Admin


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """An administration interface with the statistics that a test gives it."""

    daemon_threads = True
    stats: dict[str, Any]
    state = "LIVE\n"


class Handler(BaseHTTPRequestHandler):
    """Answers /ready and /stats."""

    def do_GET(self) -> None:
        server: Any = self.server
        if self.path == "/ready":
            body = server.state
        else:
            told = [{"name": k, "value": v} for k, v in server.stats.items()]
            wanted = [s for s in told if ("warming" in s["name"]) == ("warming" in self.path)]
            body = json.dumps({"stats": [*wanted, {"histograms": {}}]})
        self.send_response(200 if body else 503)
        self.end_headers()
        self.wfile.write(body.encode())

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — the name of the parameter is inherited
        del format, args


@pytest.fixture
def pod() -> Iterator[Path]:
    # Socket paths are short; pytest's own directories may not be.
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


@pytest.fixture
def server(pod: Path) -> Iterator[Server]:
    (pod / envoy.LOG).touch()
    with Server(str(pod / envoy.ADMIN), Handler) as made:
        made.stats = {
            "listener_manager.lds.version_text": "l1",
            "cluster_manager.cds.version_text": "c1",
            "cluster_manager.cds.update_rejected": 1,
            "http.https.rds.https.version_text": "r1",
            "cluster_manager.warming_clusters": 0,
        }
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.shutdown()


def test_nobody_listening_is_not_ready_and_has_nothing_to_say(pod: Path) -> None:
    admin = Admin(str(pod))
    assert not admin.ready()
    admin.mark()
    assert admin.settle({"cds.json": "x"}) == ()
    with pytest.raises(FileNotFoundError):
        admin.rejected(str(pod))


def test_ready_means_live(pod: Path, server: Server) -> None:
    assert Admin(str(pod)).ready()
    server.state = "PRE_INITIALIZING\n"
    assert not Admin(str(pod)).ready()
    server.state = ""
    assert not Admin(str(pod)).ready()


def test_statistics_are_read_as_files(pod: Path, server: Server) -> None:
    found = Admin(str(pod)).subscriptions()
    assert {name: s.version for name, s in found.items()} == {
        "lds.json": "l1",
        "cds.json": "c1",
        "rds/https.json": "r1",
    }
    assert found["cds.json"].refused == 1


def test_taken_files_settle(pod: Path, server: Server) -> None:
    admin = Admin(str(pod), patience=5)
    admin.mark()
    assert admin.settle({"cds.json": "c1", "rds/https.json": "r1"}) == ()


def test_a_rejection_is_told_with_its_reason_and_without_content(pod: Path, server: Server) -> None:
    (pod / envoy.LOG).write_text("2026 warning config Filesystem config update rejected: an older story\n")
    admin = Admin(str(pod), patience=5)
    admin.mark()
    server.stats["cluster_manager.cds.update_failure"] = 1
    with (pod / envoy.LOG).open("a") as log:
        log.write('w Filesystem config update failure: in /x/cds.json, Unable to parse (bad): {"key":"hush"}\n')
    (rejected,) = admin.settle({"cds.json": "c2"})
    assert rejected == envoy.Rejected("cds.json", "c2", "Unable to parse (bad")


def test_silence_ends_with_patience(pod: Path, server: Server) -> None:
    admin = Admin(str(pod), patience=0)
    admin.mark()
    (rejected,) = admin.settle({"lds.json": "l2"})
    assert rejected.reason == "Envoy has not answered"


def test_what_is_in_use_is_compared_with_the_files(pod: Path, server: Server, tmp_path: Path) -> None:
    (pod / envoy.LOG).write_text("w Filesystem config update rejected: wrong\n")
    for name, version in (("cds.json", "c1"), ("lds.json", "l9"), ("bootstrap.json", "")):
        (tmp_path / name).write_text(json.dumps({"version_info": version, "resources": []}))
    (rejected,) = Admin(str(pod)).rejected(str(tmp_path))
    assert (rejected.file, rejected.version, rejected.reason) == ("lds.json", "l9", "wrong")
