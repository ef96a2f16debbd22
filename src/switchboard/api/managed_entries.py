"""Entries of ``metadata.managedFields``: read, written in Kubernetes' order, kept few; and conflicts between managers.

In: ``managedFields`` as stored or sent.  Out: ``Entries`` (who owns which fields since when), and back.
Called by ``managed`` and ``managed_scale``.
Specification: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from switchboard.api import managed_set
from switchboard.api.errors import Cause, Conflict
from switchboard.api.managed_set import Fields, paths

APPLY, UPDATE = "Apply", "Update"
MOST_UPDATERS: Final = 10
ANCIENT: Final = "ancient-changes"
FIELDS_TYPE: Final = "FieldsV1"
_TEXTS: Final = ("manager", "operation", "apiVersion", "fieldsType", "subresource", "time")


class Manager(msgspec.Struct, frozen=True):
    """Who owns fields: an applier is the same in every version of the API, an updater is not."""

    name: str
    operation: str
    api_version: str = ""
    subresource: str = ""

    @property
    def spoken(self) -> str:
        """As conflicts name it: ``"ed" with subresource "status" using v1``."""
        told = f'"{self.name}"'
        if self.subresource:
            told += f' with subresource "{self.subresource}"'
        return f"{told} using {self.api_version}" if self.operation == UPDATE else told


class Owned(msgspec.Struct, frozen=True):
    """What a manager owns, in terms of which version, and since when (RFC 3339, empty where never told)."""

    fields: Fields
    api_version: str
    time: str = ""


Entries = dict[Manager, Owned]


def manager_of(name: str, operation: str, api_version: str, subresource: str) -> Manager:
    """The identity of a manager; one without name is called unknown."""
    return Manager(name or "unknown", operation, "" if operation == APPLY else api_version, subresource)


def decode(wire: object) -> Entries:
    """Entries by their managers; raises ValueError for what Kubernetes could not read."""
    found: Entries = {}
    if wire is None:
        return found
    if not isinstance(wire, list):
        raise ValueError("managedFields is not a list")
    for entry in wire:
        if not isinstance(entry, dict):
            raise ValueError("an entry is not a mapping")
        texts = {
            key: _text(entry, key)
            for key in ("manager", "operation", "apiVersion", "fieldsType", "subresource", "time")
        }
        if texts["operation"] not in (APPLY, UPDATE):
            raise ValueError("operation must be `Apply` or `Update`")
        if not texts["apiVersion"]:
            raise ValueError("apiVersion must not be empty")
        if texts["fieldsType"] != FIELDS_TYPE:
            raise ValueError(f"invalid fieldsType {texts['fieldsType']!r}")
        manager = Manager(
            texts["manager"],
            texts["operation"],
            texts["apiVersion"] if texts["operation"] == UPDATE else "",
            texts["subresource"],
        )
        fields = managed_set.decode(entry.get("fieldsV1") or {})
        found[manager] = Owned(fields, texts["apiVersion"], texts["time"])
    return found


def encode(entries: Mapping[Manager, Owned]) -> list[dict[str, Any]]:
    """Entries as they are stored: appliers first, then by time, name, version and subresource."""
    found = [_entry(manager, owned) for manager, owned in entries.items()]
    keys = ("operation", "time", "manager", "apiVersion", "subresource")
    return sorted(found, key=lambda entry: tuple(entry.get(key, "") for key in keys))


def resets(wire: object) -> bool:
    """Whether a request asks for nobody to own anything: an empty list, or one empty entry."""
    if not isinstance(wire, list):
        return False
    return not wire or (len(wire) == 1 and isinstance(wire[0], dict) and not any(wire[0].values()))


def capped(entries: Entries) -> Entries:
    """The same with at most ten updaters: the oldest of each version become one, called ancient-changes."""
    updaters = sorted(
        (m for m in entries if m.operation == UPDATE),
        key=lambda m: (entries[m].time, m.name, m.api_version, m.subresource),
    )
    found, left, first = dict(entries), len(updaters), {}
    for manager in updaters:
        if left <= MOST_UPDATERS:
            break
        owned = entries[manager]
        if owned.api_version not in first:
            first[owned.api_version] = manager
            continue
        bucket = Manager(ANCIENT, UPDATE, owned.api_version)
        if bucket not in found:
            found[bucket] = found.pop(first[owned.api_version])
        merged = managed_set.union(owned.fields, found[bucket].fields)
        if manager != bucket:
            del found[manager]
        found[bucket] = Owned(merged, owned.api_version, owned.time)
        left -= 1
    return found


def conflict(conflicts: Mapping[Manager, Fields]) -> Conflict:
    """The refusal of an apply that would change what others own; every field is a cause."""
    named = sorted(conflicts, key=lambda m: (m.name, m.operation, m.api_version, m.subresource))
    told = [(manager, path) for manager in named for path in paths(conflicts[manager])]
    causes = [Cause("FieldManagerConflict", f"conflict with {manager.spoken}", path) for manager, path in told]
    if len(told) == 1:
        message = f"Apply failed with 1 conflict: conflict with {told[0][0].spoken}: {told[0][1]}"
    else:
        lines = []
        for manager in named:
            lines.append(f"conflicts with {manager.spoken}:")
            lines += [f"- {path}" for owner, path in told if owner == manager]
        message = f"Apply failed with {len(told)} conflicts: " + "\n".join(lines)
    return Conflict(message, causes=causes)


def _entry(manager: Manager, owned: Owned) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": owned.api_version,
        "time": owned.time,
        "fieldsType": FIELDS_TYPE,
        "fieldsV1": managed_set.encode(owned.fields),
        "subresource": manager.subresource,
    }
    return {key: value for key, value in entry.items() if value != ""}


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} is not text")
    return value or ""
