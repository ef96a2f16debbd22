"""The runtime directory tells whether a cluster is alive, and who leads it, by locks that the kernel releases."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from switchboard.base.errors import MachineError
from switchboard.run.home import Home, locate

# A library of another test may have left a thread; the children here only wait.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "base" / "a")


@pytest.fixture
def child():
    """Runs a function in another process, which then waits; returns its process id when the function is done."""
    started = []

    def start(work: Callable[[], object]) -> int:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                work()
                os.write(writer, b".")
                signal.pause()
            finally:
                os._exit(0)
        os.close(writer)
        started.append(pid)
        assert os.read(reader, 1) == b"."
        os.close(reader)
        return pid

    def end(pid: int) -> None:
        started.remove(pid)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    start.end = end
    yield start
    for pid in list(started):
        end(pid)


def test_a_directory_of_nobody_is_dead(home: Home) -> None:
    assert (home.alive(), home.owner()) == (False, 0)
    home.wait_until_dead()


def test_the_directory_is_private(home: Home) -> None:
    os.close(home.acquire())
    assert home.path.stat().st_mode & 0o777 == 0o700
    assert home.path.parent.stat().st_mode & 0o777 == 0o700


def test_the_lock_is_free_when_the_last_that_inherited_it_has_gone(home: Home, child) -> None:
    descriptor = home.acquire()
    heir = child(lambda: None)
    os.close(descriptor)
    assert home.alive()
    child.end(heir)
    assert not home.alive()


def test_a_second_one_is_refused_and_disturbs_nothing(home: Home) -> None:
    descriptor = home.acquire()
    home.state.write_text("mine")
    with pytest.raises(MachineError) as refused:
        home.acquire()
    assert refused.value.reference == "already-running"
    assert home.state.read_text() == "mine"
    os.close(descriptor)


def test_the_supervisor_is_known_by_its_lock_and_only_while_it_lives(home: Home, child) -> None:
    descriptor = home.acquire()
    supervisor = child(home.sign)
    assert home.owner() == supervisor
    with pytest.raises(MachineError, match=f"process {supervisor}"):
        home.acquire()
    child.end(supervisor)
    assert home.owner() == 0
    os.close(descriptor)


def test_the_next_one_sweeps_what_a_crash_has_left(home: Home, tmp_path: Path) -> None:
    os.close(home.acquire())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("")
    home.state.write_text("old")
    (home.gateways / "xds").mkdir()
    (home.path / "link").symlink_to(elsewhere)
    os.close(home.acquire())
    assert sorted(p.name for p in home.path.iterdir()) == ["gateway", "lock", "log"]
    assert not list(home.gateways.iterdir())
    assert (elsewhere / "kept").exists()


def test_removing_leaves_the_directories_of_other_clusters(home: Home) -> None:
    other = Home(home.path.parent / "b")
    for each in (home, other):
        os.close(each.acquire())
    assert home.remove()
    assert not home.remove()
    assert other.path.exists()
    assert other.remove()
    assert not home.path.parent.exists()


def test_a_directory_that_others_may_write_to_is_refused(home: Home) -> None:
    home.path.mkdir(parents=True)
    home.path.parent.chmod(0o777)
    with pytest.raises(MachineError) as refused:
        home.acquire()
    assert refused.value.reference == "unsafe-runtime-directory"


def test_a_link_in_its_place_is_refused(home: Home, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    home.path.parent.mkdir(mode=0o700)
    home.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MachineError):
        home.acquire()


def test_a_file_in_its_place_is_refused(home: Home) -> None:
    home.path.parent.mkdir(mode=0o700)
    home.path.write_text("")
    with pytest.raises(MachineError) as refused:
        home.acquire()
    assert refused.value.reference == "no-runtime-directory"


def test_where_it_is(tmp_path: Path) -> None:
    user = {"XDG_RUNTIME_DIR": str(tmp_path)}
    chosen = {"SWITCHBOARD_RUNTIME_DIR": str(tmp_path / "x"), **user}
    assert locate(chosen, 0, "a").path == tmp_path / "x" / "a"
    assert locate(user, 0, "a").path == Path("/run/switchboard/a")
    assert locate(user, 1000, "a").path == tmp_path / "switchboard" / "a"
    assert "1000" in str(locate({"XDG_RUNTIME_DIR": str(tmp_path / "gone")}, 1000, "a").path)
