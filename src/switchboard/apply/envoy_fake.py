"""A stand-in for a running Envoy: reads the files that it would read, and takes or rejects them as it would.

In: the discovery directory, and a judgement of content for tests.  Out: the configuration in use and ``Rejected``s.
Called by tests of ``apply.envoy`` and of everything above it.  It is honest about order: at every step it checks that
what it uses refers to nothing that is missing, as a request in that instant would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from switchboard.apply.envoy import Rejected
from switchboard.rules import discovery
from switchboard.rules.discovery import BOOTSTRAP, KEYS, EnvoyConfig


class FakeEnvoy:
    """Reads ``directory`` whenever ``settle`` is called; ``refuse`` gives the reason against a content, or nothing."""

    def __init__(self, directory: str, refuse: Callable[[str, bytes], str] = lambda _file, _content: "") -> None:
        """Starts with what the directory holds now."""
        self._directory, self._refuse = Path(directory), refuse
        self._files: dict[str, bytes] = {}
        self.problems: list[str] = []
        self.history: list[tuple[str, ...]] = []
        self._read()

    @property
    def config(self) -> EnvoyConfig:
        """The configuration in use: of every file the last content that was not refused."""
        return discovery.parse(self._files, str(self._directory))

    def ready(self) -> bool:
        """Whether there are listeners to serve."""
        return bool(self.config.listeners)

    def mark(self) -> None:
        """Nothing to remember: rejections are told as they happen."""

    def settle(self, versions: Mapping[str, str]) -> tuple[Rejected, ...]:
        """Takes the files as they are now; problems of that instant are added to ``problems``."""
        self.history.append(tuple(sorted(versions)))
        refused = self._read()
        for name, version in versions.items():
            if name not in refused and discovery.version(self._files[name]) != version:
                raise AssertionError(f"{name} was written again before it was taken")
        return tuple(Rejected(name, versions[name], reason) for name, reason in refused.items() if name in versions)

    def _read(self) -> dict[str, str]:
        refused: dict[str, str] = {}
        found = {
            str(p.relative_to(self._directory)): p.read_bytes()
            for p in sorted(self._directory.rglob("*.*"))
            if p.name != BOOTSTRAP and not p.name.startswith(".")
        }
        for name in set(self._files) - set(found):
            del self._files[name]
        for name, content in found.items():
            if self._files.get(name) != content:
                reason = self._refuse(name, content) or _unreadable(name, content, str(self._directory))
                if reason:
                    refused[name] = reason
                else:
                    self._files[name] = content
        # Routes are taken with their listener, so a table that nobody refers to yet is no problem.
        self.problems += discovery.validate(self.config)
        return refused


def _unreadable(name: str, content: bytes, directory: str) -> str:
    if name.startswith(KEYS):
        return ""
    try:
        discovery.parse({"content": content}, directory)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        return str(error)
    return ""
