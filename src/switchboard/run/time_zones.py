"""Time zones by name, from the machine's zone files: the setting ``time-zones`` of the cronjob controller.

In: a name such as ``Europe/Berlin``.  Out: the zone, None when the machine does not know it.
Given to the controller loop by the composition root, because controllers read no files.
Specification: https://docs.python.org/3/library/zoneinfo.html
"""

from __future__ import annotations

from datetime import tzinfo
from zoneinfo import ZoneInfo


def time_zone(name: str) -> tzinfo | None:
    """The zone of that name; it is read once and then kept."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # Unknown, no name of a zone at all (a path), or the name of a directory of zones.
        return None
