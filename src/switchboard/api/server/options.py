"""Options of requests: what the query (and the body of a DELETE) asks beside the object.

In: a ``Request``.  Out: frozen options; refusals with the fields that kube-apiserver names.
Called by reads, writes and watches.
Specification: ListOptions, CreateOptions, UpdateOptions, PatchOptions, DeleteOptions of meta.k8s.io/v1.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from switchboard.api.errors import BadRequest, Cause, Invalid
from switchboard.api.server.booleans import truthy
from switchboard.api.server.request import Request
from switchboard.k8s import names
from switchboard.k8s.objects import mapping, sequence, text

VALIDATIONS: Final = ("", "Ignore", "Strict", "Warn")
POLICIES: Final = ("Foreground", "Background", "Orphan")
_MATCHES: Final = ("", "Exact", "NotOlderThan")
_LONGEST_MANAGER: Final = 128
_EXACT, _NOT_OLDER = "Exact", "NotOlderThan"


class ListOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a list or a watch asks; ``limit`` 0 means all, ``timeout`` 0 none."""

    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_: str = ""
    resource_version: str = ""
    match: str = ""
    bookmarks: bool = False
    initial_events: bool | None = None
    timeout: int = 0


class WriteOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a write asks."""

    dry_run: bool = False
    validation: str = "Warn"
    manager: str = ""
    force: bool | None = None


class DeleteOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a deletion asks; None for the grace period means the object's own."""

    dry_run: bool = False
    policy: str = ""
    grace_period: int | None = None
    uid: str = ""
    resource_version: str = ""


def _refuse(kind: str, causes: list[Cause]) -> Invalid:
    told = [f"{c.field}: {c.message}" for c in causes]
    message = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    return Invalid(f'{kind}.{names.META} "" is invalid: {message}', group=names.META, resource=kind, causes=causes)


def _number(request: Request, name: str) -> int:
    found = request.parameter(name)
    if not found:
        return 0
    try:
        return int(found)
    except ValueError as error:
        raise BadRequest(f'strconv.ParseInt: parsing "{found}": invalid syntax') from error


def list_options(request: Request, *, watch: bool) -> ListOptions:
    """Options of a list or a watch; raises ``Invalid`` or ``BadRequest``."""
    initial = request.parameter("sendInitialEvents")
    options = ListOptions(
        label_selector=request.parameter("labelSelector"),
        field_selector=request.parameter("fieldSelector"),
        limit=max(_number(request, "limit"), 0),
        continue_=request.parameter("continue"),
        resource_version=request.parameter("resourceVersion"),
        match=request.parameter("resourceVersionMatch"),
        bookmarks=truthy(request.parameter("allowWatchBookmarks")),
        initial_events=truthy(initial) if initial else None,
        timeout=max(_number(request, "timeoutSeconds"), 0),
    )
    causes = _watch_causes(options) if watch else _list_causes(options)
    if causes:
        raise _refuse("ListOptions", causes)
    return options


def _forbid(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def _unsupported(field: str, value: str, supported: str) -> Cause:
    return Cause("FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {supported}', field)


def _list_causes(options: ListOptions) -> list[Cause]:
    field, causes = "resourceVersionMatch", []
    if options.match:
        if not options.resource_version:
            causes.append(_forbid(field, f"{field} is forbidden unless resourceVersion is provided"))
        if options.continue_:
            causes.append(_forbid(field, f"{field} is forbidden when continue is provided"))
        if options.match not in _MATCHES:
            causes.append(_unsupported(field, options.match, '"Exact", "NotOlderThan", ""'))
        if options.match == _EXACT and options.resource_version == "0":
            causes.append(_forbid(field, f'{field} "exact" is forbidden for resourceVersion "0"'))
    if options.initial_events is not None:
        causes.append(_forbid("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return causes


def _watch_causes(options: ListOptions) -> list[Cause]:
    field, causes = "resourceVersionMatch", []
    if options.initial_events is None:
        if options.match:
            causes.append(_forbid(field, f"{field} is forbidden for watch unless sendInitialEvents is provided"))
        return causes
    if options.match != _NOT_OLDER:
        causes.append(_forbid(field, f"sendInitialEvents requires setting {field} to NotOlderThan"))
        if options.match:
            causes.append(_unsupported(field, options.match, '"NotOlderThan"'))
    if options.continue_:
        causes.append(_forbid(field, f"{field} is forbidden when continue is provided"))
    return causes


def write_options(request: Request, kind: str, *, apply: bool = False) -> WriteOptions:
    """Options of a create, update or patch; ``kind`` is ``CreateOptions`` and the like."""
    causes = _dry_run_causes(request.all("dryRun"))
    validation = request.parameter("fieldValidation")
    manager = request.parameter("fieldManager")
    force = request.parameter("force")
    if validation not in VALIDATIONS:
        causes.append(_unsupported("fieldValidation", validation, '"", "Ignore", "Strict", "Warn"'))
    causes += _manager_causes(manager)
    if apply and not manager:
        causes.append(Cause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager"))
    if force and kind == "PatchOptions" and not apply:
        causes.append(_forbid("force", "may not be specified for non-apply patch"))
    if causes:
        raise _refuse(kind, causes)
    return WriteOptions(
        dry_run=bool(request.all("dryRun")),
        validation=validation or "Warn",
        manager=manager,
        force=truthy(force) if force else None,
    )


def _dry_run_causes(values: list[str]) -> list[Cause]:
    wrong = [v for v in values if v != "All"]
    return [_unsupported("dryRun", wrong[0], '"All"')] if wrong else []


def _manager_causes(manager: str) -> list[Cause]:
    field, causes = "fieldManager", []
    if len(manager.encode()) > _LONGEST_MANAGER:
        why = f"Too long: may not be more than {_LONGEST_MANAGER} bytes"
        causes.append(Cause("FieldValueTooLong", why, field))
    for i, character in enumerate(manager):
        if not character.isprintable():
            why = f'Invalid value: "{manager}": invalid character U+{ord(character):04X} (at position {i})'
            causes.append(Cause("FieldValueInvalid", why, field))
            break
    return causes


def delete_options(request: Request, body: dict[str, Any] | None) -> DeleteOptions:
    """Options of a deletion: of the body when there is one, of the query otherwise."""
    if body is None:
        grace = request.parameter("gracePeriodSeconds")
        body = {
            "dryRun": request.all("dryRun"),
            "propagationPolicy": request.parameter("propagationPolicy") or None,
            "gracePeriodSeconds": _number(request, "gracePeriodSeconds") if grace else None,
            "orphanDependents": truthy(request.parameter("orphanDependents"))
            if request.parameter("orphanDependents")
            else None,
        }
    policy, orphan = body.get("propagationPolicy"), body.get("orphanDependents")
    dry_run = [text(v) for v in sequence(body.get("dryRun"))]
    causes = _dry_run_causes(dry_run)
    if policy is not None and orphan is not None:
        why = f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be both set'
        causes.append(Cause("FieldValueInvalid", why, "propagationPolicy"))
    elif policy is not None and policy not in POLICIES:
        supported = '"Foreground", "Background", "Orphan", "nil"'
        causes.append(_unsupported("propagationPolicy", str(policy), supported))
    if causes:
        raise _refuse("DeleteOptions", causes)
    preconditions = mapping(body.get("preconditions"))
    grace_period = body.get("gracePeriodSeconds")
    if orphan is not None:
        policy = "Orphan" if orphan is True else "Background"
    return DeleteOptions(
        dry_run=bool(dry_run),
        policy=text(policy),
        grace_period=grace_period if isinstance(grace_period, int) else None,
        uid=text(preconditions.get("uid")),
        resource_version=text(preconditions.get("resourceVersion")),
    )
