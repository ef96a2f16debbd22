"""Writers killed in the middle, and a disk that is really full: every acknowledged write is found."""

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from switchboard.apply.sqlite_storage import SqliteStorage

pytestmark = pytest.mark.live

# Sixteen clients write, replace and delete; a line is an acknowledgement: what happened, name, revision.
WRITER = """
import asyncio, sys
from pathlib import Path
from switchboard.apply.sqlite_storage import History, SqliteStorage

async def client(storage, number):
    for step in range(100_000):
        name = f"{number}-{step % 7}"
        if step % 5 == 4 and storage.get("K", "a", name):
            event = storage.remove("K", "a", name, b"last")
        else:
            event = storage.put("K", "a", name, b"%d" % step * 40, {"step": str(step)})
        await storage.flush(event.resource_version)
        sys.stdout.write(f"{event.type} {name} {event.resource_version}\\n")
        sys.stdout.flush()

async def main():
    storage = SqliteStorage(Path(sys.argv[1]), History(changes=200))
    storage.pipeline(asyncio.get_running_loop().call_soon_threadsafe)
    await asyncio.gather(*(client(storage, number) for number in range(16)))

asyncio.run(main())
"""


def killed_after(path: Path, lines: int) -> list[list[str]]:
    """Acknowledgements of a writer that was killed when at least that many had come."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        found = []
        for line in writer.stdout:
            found.append(line)
            if len(found) == lines:
                writer.send_signal(signal.SIGKILL)
    assert writer.returncode == -signal.SIGKILL
    return [line.split() for line in found if line.endswith("\n")]


def test_every_acknowledged_write_survives_kills(tmp_path):
    path = tmp_path / "state.db"
    lengths = random.Random(20)
    acknowledged: dict[str, tuple[str, int]] = {}
    newest = 0
    for _ in range(12):
        for type_, name, revision in killed_after(path, lengths.randrange(1, 900)):
            acknowledged[name] = (type_, int(revision))
        assert min(r for _, r in acknowledged.values()) > 0
        storage = SqliteStorage(path)
        for name, (type_, revision) in acknowledged.items():
            record = storage.get("K", "a", name)
            # A later write of the same name may have reached the disk without its answer reaching us.
            if record is None:
                gone = [e for e in storage.events(storage.revision - 100_000 - 150) if e.name == name]
                assert type_ == "DELETED" or gone[-1].resource_version > revision
            else:
                assert record.revision > revision if type_ == "DELETED" else record.revision >= revision
        assert storage.revision > newest
        newest = max(r for _, r in acknowledged.values())
        assert storage.revision >= newest
        storage.close()


FULL_DISK = """
import asyncio, sys
from pathlib import Path
from switchboard.api.errors import InternalError
from switchboard.apply.sqlite_storage import SqliteStorage

directory = Path(sys.argv[1])

async def fill(storage):
    for number in range(10_000):
        try:
            await storage.flush(storage.put("K", "a", str(number), bytes(3000), {}).resource_version)
        except InternalError as error:
            assert error.code == 500 and "disk is full" in error.message, error.message
            return number
    raise AssertionError("the disk was never full")

async def main():
    ballast = directory / "ballast"
    ballast.write_bytes(bytes(200_000))
    storage = SqliteStorage(directory / "state.db")
    storage.pipeline(asyncio.get_running_loop().call_soon_threadsafe)
    number = await fill(storage)
    assert number > 10
    assert len(list(storage.scan("K"))) == number == len(storage.events(0))
    assert storage.get("K", "a", "0").data == bytes(3000)
    ballast.unlink()
    await storage.flush(storage.put("K", "a", "after", b"1", {}).resource_version)
    names = sorted(r.name for r in storage.scan("K"))
    storage.close()
    again = SqliteStorage(directory / "state.db")
    assert sorted(r.name for r in again.scan("K")) == names
    assert "after" in names
    again.close()
    print("kept", len(names))

asyncio.run(main())
"""


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs a mount namespace of its own")
def test_a_full_disk_refuses_writes_serves_reads_and_recovers(tmp_path):
    script = 'mount -t tmpfs -o size=1m none "$0" && exec "$1" -c "$2" "$0"'
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            script,
            str(tmp_path),
            sys.executable,
            FULL_DISK,
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("kept ")
