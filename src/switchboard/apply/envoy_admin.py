"""What a running Envoy says about its configuration: ready, taken, rejected and why.

In: the directory of a pod with Envoy's administration socket and log.  Out: versions and ``Rejected``s.
Called by ``apply.envoy.publish`` and ``run``.
Specification: https://www.envoyproxy.io/docs/envoy/latest/operations/admin; ``rules.envoy_report`` reads the answers.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from switchboard.apply.envoy import ADMIN, LOG, Rejected
from switchboard.rules import discovery, envoy_report
from switchboard.rules.discovery import BOOTSTRAP
from switchboard.rules.envoy_report import Reason, Subscription


class Admin:
    """The administration interface of one Envoy, over its Unix socket in ``pod_directory``."""

    def __init__(self, pod_directory: str, patience: float = 3.0) -> None:
        """Opens nothing yet; ``patience`` is how many seconds ``settle`` waits for an answer."""
        self._own, self._patience = Path(pod_directory), patience
        self._refused: dict[str, int] = {}
        self._log_read = 0

    def get(self, path: str) -> str:
        """The body of an answer; raises OSError when nobody listens or the answer is not 200."""
        connection = _UnixConnection(str(self._own / ADMIN))
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            if answer.status != 200:
                raise OSError(f"{path} answered {answer.status}")
            return answer.read().decode()
        except http.client.HTTPException as error:
            raise OSError(f"no answer to {path}") from error
        finally:
            connection.close()

    def ready(self) -> bool:
        """Whether Envoy has its first configuration and serves it."""
        try:
            return self.get("/ready").strip() == "LIVE"
        except OSError:
            return False

    def stats(self, pattern: str) -> dict[str, int | str]:
        """Statistics whose names match a regular expression; histograms are left out."""
        found = json.loads(self.get(f"/stats?format=json&filter={quote(pattern)}"))["stats"]
        return {s["name"]: s["value"] for s in found if "name" in s}

    def subscriptions(self) -> dict[str, Subscription]:
        """File name to what Envoy has of it."""
        return envoy_report.subscriptions(self.stats(envoy_report.STATISTICS))

    def mark(self) -> None:
        """Remembers what has been rejected so far, so that ``settle`` tells what is rejected from now on."""
        try:
            self._refused = {name: s.refused for name, s in self.subscriptions().items()}
            self._log_read = (self._own / LOG).stat().st_size
        except OSError:
            self._refused, self._log_read = {}, 0

    def settle(self, versions: Mapping[str, str]) -> tuple[Rejected, ...]:
        """Waits until Envoy has taken or rejected each of these files and nothing is warming up.

        An Envoy that does not run has nothing to say.
        """
        deadline = time.monotonic() + self._patience
        while True:
            try:
                known = self.subscriptions()
                warming = any(self.stats(envoy_report.WARMING).values())
            except OSError:
                return ()
            open_ = {f for f, v in versions.items() if f in known and known[f].version != v}
            open_ |= set(versions) - set(known)
            refused = {f for f in open_ if f in known and known[f].refused > self._refused.get(f, 0)}
            if (open_ == refused and not warming) or time.monotonic() > deadline:
                break
            time.sleep(0.002)
        return self._told(open_, versions)

    def rejected(self, directory: str) -> tuple[Rejected, ...]:
        """Files whose content is not the one in use now; raises OSError when Envoy does not answer."""
        known = self.subscriptions()
        versions = {
            str(p.relative_to(directory)): discovery.version(p.read_bytes())
            for p in sorted(Path(directory).rglob("*.json"))
            if p.name != BOOTSTRAP
        }
        self._log_read = 0
        return self._told({f for f, v in versions.items() if f in known and known[f].version != v}, versions)

    def _told(self, files: set[str], versions: Mapping[str, str]) -> tuple[Rejected, ...]:
        if not files:
            return ()
        deadline = time.monotonic() + 1.0
        # Envoy writes its log some hundred milliseconds after the fact.
        while not (found := self._reasons()) and time.monotonic() < deadline:
            time.sleep(0.01)
        told = []
        for file in sorted(files):
            reasons = dict.fromkeys(r.text for r in found if not r.file or r.file.endswith(f"/{file}"))
            told.append(Rejected(file, versions[file], "; ".join(reasons) or "Envoy has not answered"))
        return tuple(told)

    def _reasons(self) -> list[Reason]:
        with (self._own / LOG).open("rb") as log:
            log.seek(self._log_read)
            return envoy_report.reasons(log.read().decode(errors="replace").splitlines())


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket; the name that HTTP asks for is without meaning."""

    def __init__(self, path: str) -> None:
        super().__init__("envoy", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
