"""The program as an ordinary user, and on machines that lack what it needs.

The interpreter may lie below a directory that others may not enter (a home): the test's own mount namespace then has
an empty directory in its place, with the few paths that are needed bound into it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.live
REPOSITORY = Path(__file__).parents[2]
PROGRAM = str(Path(sys.executable).with_name("switchboard"))
PAYMENTS = str(REPOSITORY / "examples" / "payments")
USER = 12345
NAME = "plain"
AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs")


def shut(path: Path) -> Path | None:
    """The topmost directory on the way to ``path`` that other users may not pass."""
    return next((part for part in (*reversed(path.parents), path) if not part.stat().st_mode & 0o001), None)


def opening(needed: Sequence[Path]) -> str:
    """Shell commands after which ``needed`` can be reached by every user, in this mount namespace only."""
    hidden = {path: top for path in needed if (top := shut(path))}
    lines = ["set -e", "stage=$(mktemp -d)"]
    lines += [f"mkdir $stage/{n}; mount --bind '{path}' $stage/{n}" for n, path in enumerate(hidden)]
    lines += [f"mount -t tmpfs -o mode=755 tmpfs '{top}'" for top in sorted(set(hidden.values()))]
    lines += [f"mkdir -p '{path}'; mount --move $stage/{n} '{path}'" for n, path in enumerate(hidden)]
    return "\n".join(lines)


class User:
    """An ordinary user of the host, with a runtime directory of their own."""

    def __init__(self, host, directory: Path) -> None:
        self.host = host
        self.environment = {"SWITCHBOARD_RUNTIME_DIR": str(directory / "switchboard"), "HOME": str(directory)}
        needed = {Path(sys.base_prefix), Path(sys.prefix), REPOSITORY / "src", REPOSITORY / "examples", directory}
        # A path inside another one comes with it.
        self._opening = opening(sorted(p for p in needed if not any(q in p.parents for q in needed)))

    def run(self, *arguments: str, code: int = 0):
        script = f'{self._opening}\nexec {" ".join(AS_USER)} "$@"'
        return self.host.run(
            "unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh", *arguments,
            code=code, environment=self.environment,
        )  # fmt: skip

    def switchboard(self, *arguments: str, code: int = 0):
        return self.run(PROGRAM, *arguments, code=code)


@pytest.fixture
def user(host) -> User:
    directory = host.directory / "user"
    directory.mkdir(exist_ok=True)
    os.chown(directory, USER, USER)
    return User(host, directory)


def test_the_user_is_nobody_special(user: User) -> None:
    status = user.run("cat", "/proc/self/status").stdout
    assert f"Uid:\t{USER}\t{USER}\t{USER}\t{USER}" in status
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def test_ordinary_user_publishes_the_example(host, user: User) -> None:
    before = host.state()
    started = user.switchboard("up", "-f", PAYMENTS, "--name", NAME, "--detach").stdout
    assert started.startswith("runtime: netns rootless\n")
    status = json.loads(user.switchboard("status", "--name", NAME, "-o", "json").stdout)
    assert (status["runtime"], status["ready"], status["reachable"]) == ("netns rootless", True, False)
    port = status["forwarded"]["https"]
    answer = user.run(
        "curl", "-sS", "--fail", "--max-time", "10", "--cacert", status["authority"],
        "--resolve", f"api.example.com:{port}:127.0.0.1", f"https://api.example.com:{port}/pay",
    ).stdout  # fmt: skip
    assert json.loads(answer)["path"] == "/pay"
    assert "203.0.113.10/24" in user.switchboard("exec", "--name", NAME, "client-1", "--", "ip", "addr").stdout
    assert "nothing of it is left" in user.switchboard("down", "--name", NAME).stdout
    assert host.state() == before


def test_ordinary_user_sees_the_demonstration(host, user: User) -> None:
    before = host.state()
    shown = user.switchboard("demo", "--requests", "200").stdout
    assert "runtime: netns rootless" in shown
    assert "predicted" in shown
    assert host.state() == before


def test_no_nftables_is_one_sentence(host, tmp_path: Path) -> None:
    script = f"mount -t tmpfs tmpfs /usr/sbin; exec '{PROGRAM}' up --detach"
    done = host.run(
        "unshare", "--mount", "--propagation=private", "sh", "-c", script, code=3, environment={"PATH": "/usr/bin:/bin"}
    )
    assert done.stderr.splitlines() == ["error: The program nft is missing.", "  Install it: apt-get install nftables"]
    assert not host.runtime.exists()


def test_no_namespaces_is_one_sentence(host) -> None:
    """The limits are those of a user namespace of the test's own."""
    limits = "; ".join(f"echo 0 > /proc/sys/user/max_{kind}_namespaces" for kind in ("user", "net"))
    script = f"{limits}; exec '{PROGRAM}' up --detach"
    done = host.run("unshare", "--user", "--map-root-user", "sh", "-c", script, code=3)
    first, hint = done.stderr.splitlines()
    assert first == "error: This machine lets this user make no network namespaces."
    assert "max_user_namespaces" in hint
    assert not host.runtime.exists()


def test_root_without_rights_is_an_ordinary_user(host) -> None:
    """As in a container: the one capability that is kept is the kernel's condition for mapping user 0."""
    before = host.state()
    bare = ("setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all", "--no-new-privs", PROGRAM)
    assert "runtime: netns rootless" in host.run(*bare, "up", "--name", NAME, "--detach").stdout
    assert "cluster plain: ready" in host.run(*bare, "status", "--name", NAME).stdout
    host.run(*bare, "down", "--name", NAME)
    assert host.state() == before


def test_runtime_directory_that_cannot_be_made(host) -> None:
    file = host.directory / "file"
    file.touch()
    done = host.switchboard("up", "--detach", code=3, environment={"SWITCHBOARD_RUNTIME_DIR": str(file / "below")})
    assert "The runtime directory cannot be made: Not a directory." in done.stderr
    assert "SWITCHBOARD_RUNTIME_DIR" in done.stderr
    file.unlink()


@pytest.mark.parametrize(("owner", "mode"), [(USER, 0o700), (0, 0o777), (0, 0o720)])
def test_runtime_directory_of_somebody_else(host, owner: int, mode: int) -> None:
    directory = host.directory / "foreign"
    directory.mkdir()
    directory.chmod(mode)
    os.chown(directory, owner, owner)
    done = host.switchboard("up", "--detach", code=3, environment={"SWITCHBOARD_RUNTIME_DIR": str(directory)})
    assert "belongs to somebody else or others may write to it" in done.stderr
    assert list(directory.iterdir()) == []
    directory.rmdir()
