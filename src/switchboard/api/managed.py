"""Who owns which field: server-side apply, and the bookkeeping of all other writes.

In: the stored object, the one that was sent, and who writes (``Writer``).  Out: a new object with its managedFields.
Called by the API server for every write, after defaults and before allocation and validation.
Specification: https://kubernetes.io/docs/reference/using-api/server-side-apply/
Other versions of a kind are taken to have the same fields, as custom resources without conversion have.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import msgspec

from switchboard.api import managed_entries, managed_merge, managed_set
from switchboard.api.errors import ApiError, BadRequest, ServerFault
from switchboard.api.managed_entries import APPLY, UPDATE, Entries, Manager, Owned
from switchboard.api.managed_set import Fields, difference, intersection, union
from switchboard.api.managed_types import ANY, MAP, SCALAR, Type
from switchboard.api.managed_walk import Comparison, compare, fields_of, remove, with_named
from switchboard.api.patch.bounds import bounded
from switchboard.k8s import objects
from switchboard.k8s.names import LAST_APPLIED
from switchboard.k8s.objects import Object, metadata, text

BEFORE_APPLY: Final = "before-first-apply"
KUBECTL: Final = "kubectl"
MAX_NAME: Final = 128
_MAX_ANNOTATIONS: Final = 256 * 1024
# Nobody owns these: they say which object it is, or the server writes them.
_STRIPPED: Final = (
    ("apiVersion",),
    ("kind",),
    ("metadata",),
    *(
        ("metadata", name)
        for name in (
            "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields",
            "resourceVersion",
        )
    ),
)  # fmt: skip


class Writer(msgspec.Struct, frozen=True):
    """Who writes what.

    ``time`` is RFC 3339 in UTC; ``subresource`` empty for the object itself.
    ``reset`` names fields that this endpoint does not change (``reset_fields``), ``only`` those that it alone changes.
    """

    manager: str
    api_version: str
    kind: str
    time: str
    types: Type
    subresource: str = ""
    reset: Fields = {}
    only: str = ""

    def identity(self, operation: str) -> Manager:
        """The manager as entries know it."""
        return managed_entries.manager_of(self.manager, operation, self.api_version, self.subresource)

    def honoured(self, fields: Fields) -> Fields:
        """Those of a set that this endpoint can change."""
        if self.only:
            element = managed_set.field(self.only)
            return {element: fields[element]} if element in fields else {}
        return managed_set.without(fields, self.reset) if self.reset else fields


def manager_name(field_manager: str, user_agent: str) -> str:
    """The parameter, or else the user agent up to its first slash, at most 128 printable characters."""
    if field_manager:
        return field_manager
    return "".join(c for c in user_agent.partition("/")[0] if c.isprintable())[:MAX_NAME]


def reset_fields(*, status_subresource: bool, subresource: str) -> Fields:
    """What an endpoint of a built-in kind leaves as it is: the object its status, the status everything wanted."""
    if subresource == "status":
        return managed_set.path("spec")
    return managed_set.path("status") if status_subresource and not subresource else {}


def update(old: Object | None, new: Object, writer: Writer) -> Object:
    """The new object with its managedFields brought up to date; ``old`` is None for a creation.

    Never raises: what cannot be followed keeps the entries of the old object.
    """
    sent = metadata(new).get("managedFields")
    kept = metadata(old or {}).get("managedFields")
    entries = _entries_for(sent, kept, writer.subresource)
    if old is not None and not entries:
        return _with(new, [])
    try:
        bounded(new)
        entries = _updated(_plain(old), _present(writer.types, _plain(new)), entries, writer)
    except (ValueError, ApiError):
        return _with(new, kept)
    return settle(old, _with(new, managed_entries.encode(entries)), writer.subresource)


def apply(live: Object | None, applied: Object, writer: Writer, *, force: bool = False) -> Object:
    """The live object with a configuration applied, without defaults; ``live`` is None for an object to be created.

    Raises ``Conflict`` when that changes what others own (unless forced), ``BadRequest`` for another kind or version
    or for managedFields in the configuration, ``ServerFault`` for a configuration that does not fit its schema.
    """
    _check_applied(applied, writer)
    try:
        entries = managed_entries.decode(metadata(live or {}).get("managedFields"))
    except ValueError as error:
        raise ServerFault(f"failed to decode managed fields: {error}") from error
    base = bounded(_plain(live))
    try:
        if not entries and live is not None:
            entries = _updated({}, base, entries, msgspec.structs.replace(writer, manager=BEFORE_APPLY))
        merged, owners = _apply(base, applied, entries, writer, force)
    except ValueError as error:
        raise ServerFault(f"failed to merge config: {error}") from error
    except _Conflicting as error:
        if not _left_by_kubectl(base, error.conflicts, writer):
            raise managed_entries.conflict(error.conflicts) from None
        merged, owners = _apply(base, applied, entries, writer, True)
    if writer.manager == KUBECTL and objects.annotations(merged).get(LAST_APPLIED):
        merged = _with_last_applied(merged, applied)
    return settle(live, _with(merged, managed_entries.encode(owners)), writer.subresource)


def settle(old: Object | None, new: Object, subresource: str = "") -> Object:
    """The new object, with the old one's times of managedFields when nothing else differs: then it is no change."""
    if old is None:
        return new
    before, after = metadata(old).get("managedFields"), metadata(new).get("managedFields")
    if (
        before == after
        or _timeless(before) != _timeless(after)
        or _compared(old, subresource) != _compared(new, subresource)
    ):
        return new
    return _with(new, before)


class _Conflicting(Exception):  # noqa: N818 - it carries conflicts to the one place that words them
    def __init__(self, conflicts: dict[Manager, Fields]) -> None:
        super().__init__()
        self.conflicts = conflicts


def _entries_for(sent: object, kept: object, subresource: str) -> Entries:
    """The entries that a write starts from: those sent, where it may set them, else the stored ones."""
    if not subresource:
        if managed_entries.resets(sent):
            return {}
        if found := _decoded(sent):
            return found
    return _decoded(kept)


def _decoded(wire: object) -> Entries:
    try:
        return managed_entries.decode(wire)
    except ValueError:
        return {}


def _updated(old: Object, new: Object, entries: Entries, writer: Writer) -> Entries:
    wrong = managed_merge.errors(writer.types, new, duplicates=True)
    if wrong:
        raise ValueError(wrong[0])
    changes = compare(writer.types, old, new)
    found = _disowned(entries, None, _honoured(changes, writer), force=True)
    taken = difference(writer.honoured(union(changes.modified, changes.added)), _stripped())
    if taken:
        manager = writer.identity(UPDATE)
        before = found[manager].fields if manager in found else {}
        found[manager] = Owned(union(taken, before), writer.api_version, writer.time)
    return managed_entries.capped(found)


def _apply(base: Object, applied: Object, entries: Entries, writer: Writer, force: bool) -> tuple[Object, Entries]:
    manager = writer.identity(APPLY)
    merged = managed_merge.merge(writer.types, base, applied)
    before = entries.get(manager)
    wanted = writer.honoured(fields_of(writer.types, applied))
    found = {**entries, manager: Owned(wanted, writer.api_version, before.time if before else "")}
    if before and before.fields:
        merged = _pruned(writer.types, merged, found, before.fields)
    changes = _honoured(compare(writer.types, base, merged), writer)
    found = _disowned(found, manager, changes, force=force)
    changed = merged != base
    if owned := difference(wanted, _stripped()):
        found[manager] = Owned(owned, writer.api_version, writer.time if changed else found[manager].time)
    else:
        found.pop(manager, None)
    return _without_nulls(writer.types, merged) if changed else base, found


def _pruned(kind: Type, merged: Object, entries: Entries, last: Fields) -> Object:
    """Without what the manager applied before, does not apply now, and nobody else owns."""
    owned: Fields = {}
    for one in entries.values():
        owned = union(owned, one.fields)
    last = with_named(kind, last)
    everything = with_named(kind, fields_of(kind, merged))
    rest = remove(kind, merged, last) or {}
    remaining = union(with_named(kind, fields_of(kind, rest)), with_named(kind, owned))
    rest = remove(kind, merged, difference(everything, remaining)) or {}
    gone = difference(everything, with_named(kind, fields_of(kind, rest)))
    return remove(kind, merged, intersection(gone, last)) or {}


def _honoured(changes: Comparison, writer: Writer) -> Comparison:
    return Comparison(
        writer.honoured(changes.added), writer.honoured(changes.modified), writer.honoured(changes.removed)
    )


def _disowned(entries: Entries, writing: Manager | None, changes: Comparison, *, force: bool) -> Entries:
    """Entries of the others without what they lose; raises when that is a conflict and not forced."""
    taken = union(changes.modified, changes.added)
    lost = {m: intersection(owned.fields, taken) for m, owned in entries.items() if m != writing}
    lost = {m: fields for m, fields in lost.items() if fields}
    if lost and not force:
        raise _Conflicting(lost)
    gone = union(taken, changes.removed)
    found: Entries = {}
    for manager, owned in entries.items():
        fields = owned.fields if manager == writing else difference(owned.fields, gone)
        if fields or manager == writing:
            found[manager] = msgspec.structs.replace(owned, fields=fields)
    return found


def _check_applied(applied: Object, writer: Writer) -> None:
    bounded(applied)
    if (applied.get("apiVersion"), applied.get("kind")) != (writer.api_version, writer.kind):
        raise BadRequest(f"invalid object type: {_version_kind(applied)}")
    if metadata(applied).get("managedFields") is not None:
        raise BadRequest("metadata.managedFields must be nil")
    wrong = managed_merge.errors(writer.types, applied)
    if wrong:
        told = wrong[0] if len(wrong) == 1 else "errors:\n  " + "\n  ".join(wrong)
        raise ServerFault(
            f"failed to create typed patch object ({objects.namespace(applied)}/{objects.name(applied)}; "
            f"{_version_kind(applied)}): {told}"
        )


def _version_kind(obj: Object) -> str:
    group, _, version = text(obj.get("apiVersion")).rpartition("/")
    return f"{group}/{version}, Kind={text(obj.get('kind'))}"


def _left_by_kubectl(base: Object, conflicts: dict[Manager, Fields], writer: Writer) -> bool:
    """Whether kubectl itself applied the fields in question before, from the client, and they are unchanged."""
    if writer.manager != KUBECTL:
        return False
    written = objects.annotations(base).get(LAST_APPLIED)
    try:
        last = msgspec.json.decode(written) if isinstance(written, str) else None
    except (msgspec.DecodeError, RecursionError):
        return False
    if not isinstance(last, dict) or last.get("apiVersion") != writer.api_version or not last.get("kind"):
        return False
    if managed_merge.errors(writer.types, last):
        return False
    changes = compare(writer.types, last, base)
    allowed = fields_of(writer.types, last)
    for changed in (changes.modified, changes.added, changes.removed):
        allowed = difference(allowed, changed)
    return not any(difference(fields, allowed) for fields in conflicts.values())


def _with_last_applied(obj: Object, applied: Object) -> Object:
    kept = {k: v for k, v in objects.annotations(applied).items() if k != LAST_APPLIED}
    meta = {k: v for k, v in metadata(applied).items() if k != "annotations"}
    shown = {**applied, "metadata": {**meta, "annotations": kept} if kept else meta}
    told = msgspec.json.encode(shown, order="sorted").decode() + "\n"
    found = {**objects.annotations(obj), LAST_APPLIED: told}
    if sum(len(str(k)) + len(str(v)) for k, v in found.items()) > _MAX_ANNOTATIONS:
        del found[LAST_APPLIED]
    return {**obj, "metadata": {**metadata(obj), "annotations": found}}


def _without_nulls(kind: Type, value: Any) -> Any:
    """As types hold it: a null member is none (unless declared nullable), a null text in a mapping is empty."""
    if kind.form in (ANY, SCALAR):
        return value
    if isinstance(value, list):
        return [_without_nulls(kind.items(), inner) for inner in value]
    if kind.form != MAP or not isinstance(value, dict):
        return value
    found = {}
    for key, inner in value.items():
        member = kind.member(key)
        if inner is not None:
            found[key] = _without_nulls(member, inner) if member else inner
        elif member and not kind.declared(key):
            found[key] = "" if member.scalar == "string" and kind.built_in else None
        elif member and not kind.built_in and member.schema.get("nullable"):
            found[key] = None
    return found


def _present(kind: Type, value: Any) -> Any:
    """As Kubernetes' own types hold what was sent: empty lists, texts and maps of any names are not there."""
    if not kind.built_in or kind.form in (ANY, SCALAR):
        return value
    if isinstance(value, list):
        return [_present(kind.items(), inner) for inner in value]
    if kind.form != MAP or not isinstance(value, dict):
        return value
    found = {}
    for key, inner in _without_nulls(kind, value).items():
        member = kind.member(key)
        kept = _present(member, inner) if member else inner
        needless = kept in ("", []) or (kept == {} and member is not None and "properties" not in member.schema)
        if not (needless and kind.declared(key) and key not in kind.schema.get("required", ())):
            found[key] = kept
    return found


def _plain(obj: Object | None) -> Object:
    """The object without managedFields, which do not own themselves."""
    if obj is None:
        return {}
    if "managedFields" not in metadata(obj):
        return obj
    return {**obj, "metadata": {k: v for k, v in metadata(obj).items() if k != "managedFields"}}


def _with(obj: Object, entries: object) -> Object:
    meta = {k: v for k, v in metadata(obj).items() if k != "managedFields"}
    return {**obj, "metadata": {**meta, "managedFields": entries} if entries else meta}


def _timeless(entries: object) -> list[Any]:
    return [{k: v for k, v in e.items() if k != "time"} for e in objects.sequence(entries) if isinstance(e, dict)]


def _compared(obj: Object, subresource: str) -> Object:
    """What decides whether a write is a change, beside entries: not what the server writes itself."""
    own = ("resourceVersion", "generation", "managedFields")
    meta = {k: v for k, v in metadata(obj).items() if k not in own and v}
    return {**{k: v for k, v in obj.items() if k != "status" or subresource}, "metadata": meta}


@functools.cache
def _stripped() -> Fields:
    found: Fields = {}
    for names in _STRIPPED:
        found = union(found, managed_set.path(*names))
    return found
