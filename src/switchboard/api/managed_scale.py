"""Who owns the replicas of a workload, when they change through its scale subresource.

In: the workload before and after, and who writes.  Out: the workload with its managedFields.
Called by the API server for writes of ``scale``.
Specification: https://kubernetes.io/docs/reference/using-api/server-side-apply/
A Scale has no entries of its own: those of its workload that own the replicas stand for them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from switchboard.api import managed_entries, managed_set
from switchboard.api.managed import BEFORE_APPLY, Writer
from switchboard.api.managed_entries import APPLY, UPDATE, Entries, Manager, Owned
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, metadata

REPLICAS: Final = ("spec", "replicas")
SCALE: Final = "scale"
SCALE_VERSION: Final = f"{names.AUTOSCALING}/v1"


def updated(old: Object, new: Object, writer: Writer, replicas: tuple[str, ...] = REPLICAS) -> Object:
    """The workload after an update or patch of its scale; ``replicas`` names the field on the way to it.

    Replicas that nobody owned stay so; otherwise they change hands, and Kubernetes does not say when.
    """
    entries = _entries(old)
    owners = _owners(entries, replicas)
    if owners and _at(old, replicas) != _at(new, replicas):
        owner = managed_entries.manager_of(writer.manager, UPDATE, writer.api_version, SCALE)
        entries = _without(entries, owners, replicas)
        entries[owner] = Owned(managed_set.path(*replicas), writer.api_version)
    return _with(new, entries)


def applied(
    old: Object, new: Object, writer: Writer, replicas: tuple[str, ...] = REPLICAS, *, force: bool = False
) -> Object:
    """The workload after server-side apply of its scale; raises ``Conflict`` when others own another number."""
    entries = _entries(old)
    owner = managed_entries.manager_of(writer.manager, APPLY, writer.api_version, SCALE)
    if not entries and _at(old, replicas) is not None:
        before = managed_entries.manager_of(BEFORE_APPLY, UPDATE, writer.api_version, SCALE)
        entries[before] = Owned(managed_set.path(*replicas), writer.api_version)
    if _at(old, replicas) != _at(new, replicas):
        others = [m for m in _owners(entries, replicas) if m != owner]
        if others and not force:
            wanted = managed_set.path(*REPLICAS)
            raise managed_entries.conflict({_of_scale(m): wanted for m in others})
        entries = _without(entries, others, replicas)
    entries[owner] = Owned(managed_set.path(*replicas), writer.api_version)
    return _with(new, entries)


def _entries(old: Object) -> Entries:
    try:
        return managed_entries.decode(metadata(old).get("managedFields"))
    except ValueError:
        return {}


def _owners(entries: Entries, replicas: tuple[str, ...]) -> list[Manager]:
    elements = [managed_set.field(name) for name in replicas]
    return [manager for manager, owned in entries.items() if managed_set.has(owned.fields, *elements)]


def _without(entries: Entries, owners: list[Manager], replicas: tuple[str, ...]) -> Entries:
    lost = managed_set.path(*replicas)
    found: Entries = {}
    for manager, owned in entries.items():
        fields = managed_set.difference(owned.fields, lost) if manager in owners else owned.fields
        if fields:
            found[manager] = msgspec.structs.replace(owned, fields=fields)
    return found


def _of_scale(manager: Manager) -> Manager:
    """How a conflict names an owner: updaters by the version of the Scale."""
    version = SCALE_VERSION if manager.operation == UPDATE else ""
    return msgspec.structs.replace(manager, api_version=version)


def _at(obj: Object, path: tuple[str, ...]) -> Any:
    found: Any = obj
    for name in path:
        found = objects.mapping(found).get(name)
    return found


def _with(obj: Object, entries: Entries) -> Object:
    meta = {k: v for k, v in metadata(obj).items() if k != "managedFields"}
    return {**obj, "metadata": {**meta, "managedFields": managed_entries.encode(entries)} if entries else meta}
