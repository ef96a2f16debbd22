"""What Envoy says about its configuration, read from its statistics and its log.

In: statistics by name, lines of the log.  Out: for every discovery file the version in use, and reasons of rejections.
Called by ``apply.envoy_admin``.
Specification: "Statistics" of xDS subscriptions in https://www.envoyproxy.io/docs/envoy/latest/configuration; the
reason of a rejection stands in the log alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from switchboard.rules import envoy
from switchboard.rules.discovery import CLUSTERS, LISTENERS, ROUTES

STATISTICS = r"(lds|cds|\.rds\..+)\.(version_text|update_rejected|update_failure)$"
WARMING = r"^(cluster_manager\.warming_clusters|listener_manager\.total_listeners_warming)$"

_SUBSCRIPTION = re.compile(
    r"(?:(?P<lds>listener_manager\.lds)|(?P<cds>cluster_manager\.cds)|http\.[^.]+\.rds\.(?P<rds>.+))"
    r"\.(?P<what>version_text|update_rejected|update_failure)"
)
_REASON = re.compile(r"Filesystem config update (?:rejected|failure): (?:in (?P<file>\S+), )?(?P<reason>.*)")
# What Envoy prints after this is the whole file.
_DUMP = "): {"


class Subscription(msgspec.Struct, frozen=True):
    """One file as Envoy sees it: the version in use, and how often a content was refused."""

    version: str = ""
    refused: int = 0


class Reason(msgspec.Struct, frozen=True):
    """Why a content was refused; ``file`` is its full path where the log tells it, otherwise empty."""

    file: str
    text: str


def subscriptions(statistics: Mapping[str, int | str]) -> dict[str, Subscription]:
    """File name to what Envoy has of it."""
    found: dict[str, Subscription] = {}
    for name, value in statistics.items():
        if match := _SUBSCRIPTION.fullmatch(name):
            file = _file(match)
            known = found.get(file, Subscription())
            if match["what"] == "version_text":
                found[file] = Subscription(str(value), known.refused)
            else:
                found[file] = Subscription(known.version, known.refused + int(value))
    return found


def reasons(log: Iterable[str]) -> list[Reason]:
    """The rejections of a log in their order, without the rejected content."""
    matches = (m for line in log if (m := _REASON.search(line)))
    return [Reason(m["file"] or "", m["reason"].partition(_DUMP)[0]) for m in matches]


def _file(match: re.Match[str]) -> str:
    if match["rds"]:
        return ROUTES + envoy.file_name(match["rds"])
    return LISTENERS if match["lds"] else CLUSTERS
