"""Reading: one object, lists with selectors, pages, and lists of an earlier version.

In: the store, a kind, options.  Out: objects or stored bytes, in order of namespace and name.
Called by the router and by deletecollection.
Specification: https://kubernetes.io/docs/reference/using-api/api-concepts/(resource versions, chunks)
An earlier version is the present one with the changes since then undone, as long as the log remembers them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Final

import msgspec

from switchboard.api import selectors
from switchboard.api.crds.custom import CustomKind
from switchboard.api.errors import BadRequest, Cause, Expired, ServerTimeout
from switchboard.api.metadata import labels_of
from switchboard.api.server.options import ListOptions
from switchboard.api.storage import Record, decode
from switchboard.api.store import Store
from switchboard.k8s import names
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object

_VERSION: Final = f"{names.META}/v1"
_EXPIRED: Final = (
    "The provided continue parameter is too old to display a consistent list result. "
    "You can start a new list without the continue parameter."
)


class Mark(msgspec.Struct, frozen=True):
    """What a continue parameter says: the version of the first page, and the last key that was shown."""

    v: str
    rv: int
    start: str


class Page(msgspec.Struct, frozen=True):
    """Stored bytes of the objects found, and the metadata of the list."""

    records: list[Record]
    meta: Object


def selection(options: ListOptions, kind: Kind) -> tuple[selectors.Selector, selectors.FieldSelector]:
    """The parsed selectors; raises ``BadRequest``."""
    if isinstance(kind, CustomKind):
        fields = selectors.parse_fields(options.field_selector, "", kind.offered_fields)
    else:
        fields = selectors.parse_fields(options.field_selector, kind.kind)
    return selectors.parse(options.label_selector), fields


def version_of(text: str) -> int:
    """A resource version as a number, 0 when there is none; raises ``BadRequest``."""
    if not text:
        return 0
    if not text.isdecimal() or len(text) > 19:
        raise BadRequest(f'resourceVersion: Invalid value: "{text}": not a number')
    return int(text)


def require_reached(store: Store, version: int) -> None:
    """Raises ``ServerTimeout`` for a version of the future."""
    if version > store.resource_version:
        cause = Cause("ResourceVersionTooLarge", "Too large resource version")
        message = f"Timeout: Too large resource version: {version}, current: {store.resource_version}"
        raise ServerTimeout(message, causes=[cause], retry_after=1)


def page(store: Store, kind: Kind, namespace: str | None, options: ListOptions) -> Page:
    """One page of a list; raises ``BadRequest``, ``Expired`` or ``ServerTimeout``."""
    labels, fields = selection(options, kind)
    if options.continue_:
        if options.resource_version not in ("", "0"):
            raise BadRequest("specifying resource version is not allowed when using continue")
        mark = _mark(options.continue_)
        version, start = mark.rv, mark.start
    else:
        version, start = version_of(options.resource_version), ""
        require_reached(store, version)
        if options.match != "Exact" and not (options.limit and version and not options.match):
            version = 0
    found = [r for r in _at(store, kind, namespace, version, bool(start)) if _matches(r, labels, fields)]
    if start:
        found = [r for r in found if _key(r) > start]
    shown_at = version or store.resource_version
    meta: Object = {"resourceVersion": str(shown_at)}
    if options.limit and len(found) > options.limit:
        rest = len(found) - options.limit
        found = found[: options.limit]
        meta["continue"] = _continue(shown_at, _key(found[-1]))
        if not labels and not fields:
            meta["remainingItemCount"] = rest
    return Page(found, meta)


def _matches(record: Record, labels: selectors.Selector, fields: selectors.FieldSelector) -> bool:
    return (not labels or selectors.matches(labels, record.labels)) and (
        not fields or selectors.matches_fields(fields, record.object)
    )


def _key(record: Record) -> str:
    return f"{record.namespace}\x00{record.name}"


def _at(store: Store, kind: Kind, namespace: str | None, version: int, paging: bool) -> Iterator[Record] | list[Record]:
    now = store.records(kind.key, namespace)
    if not version or version == store.resource_version:
        return now
    try:
        changes = store.events(version, [kind.key])
    except Expired as error:
        raise (Expired(_EXPIRED) if paging else error) from error
    if not changes:
        return now
    found = {_key(r): r for r in now}
    for event in reversed(changes):
        if namespace is not None and event.namespace != namespace:
            continue
        key = f"{event.namespace}\x00{event.name}"
        if event.previous is None:
            found.pop(key, None)
        else:
            before = decode(event.previous)
            revision = int(before["metadata"].get("resourceVersion", 0))
            found[key] = Record(event.kind, event.namespace, event.name, revision, event.previous, labels_of(before))
    return [found[key] for key in sorted(found)]


def _continue(version: int, start: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(Mark(_VERSION, version, start))).decode().rstrip("=")


def _mark(text: str) -> Mark:
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found = msgspec.json.decode(data, type=Mark)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise BadRequest("invalid continue token: continue key is not valid") from error
    if found.v != _VERSION or found.rv <= 0:
        raise BadRequest("invalid continue token: continue key is not valid")
    return found
