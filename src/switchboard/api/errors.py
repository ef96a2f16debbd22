"""API errors: what kube-apiserver answers when a request cannot be honoured, with all fields of its Status object.

In: the resource, the name and what is wrong.  Out: an exception that carries a Kubernetes ``Status``.
Raised by every module of ``api``; the controller loop reacts to it by class, the HTTP server serialises ``status()``.
Specification: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
"""

# ruff: noqa: N818 - the classes bear the names of Kubernetes' reasons

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from switchboard.base.findings import Finding, Severity
from switchboard.k8s.kinds import Kind
from switchboard.k8s.validation.report import REASONS


class Cause(msgspec.Struct, frozen=True):
    """One reason of a refusal: ``reason`` as Kubernetes spells it (``FieldValueInvalid``), ``field`` a path."""

    reason: str
    message: str
    field: str = ""


def causes_of(findings: Iterable[Finding]) -> list[Cause]:
    """The errors among findings as causes of a refusal; warnings refuse nothing."""
    return [
        Cause(REASONS.get(f.reference, "FieldValueInvalid"), f.message, f.field)
        for f in findings
        if f.severity is Severity.ERROR
    ]


class ApiError(Exception):
    """A request that the API refused; ``code`` is the HTTP status, ``details`` name the object.

    ``findings`` say for people what ``causes`` say for programs, where validation refused the object.
    """

    code: ClassVar[int] = 500
    reason: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        group: str = "",
        resource: str = "",
        name: str = "",
        causes: Iterable[Cause] = (),
        retry_after: int = 0,
        findings: Iterable[Finding] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.group = group
        self.resource = resource
        self.name = name
        self.causes = tuple(causes)
        self.retry_after = retry_after
        self.findings = tuple(findings)

    def status(self) -> dict[str, Any]:
        """The ``Status`` object (v1) of this refusal."""
        details: dict[str, Any] = {}
        for field, value in (("name", self.name), ("group", self.group), ("kind", self.resource)):
            if value:
                details[field] = value
        if self.causes:
            details["causes"] = [{k: v for k, v in msgspec.to_builtins(c).items() if v} for c in self.causes]
        if self.retry_after:
            details["retryAfterSeconds"] = self.retry_after
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if details:
            body["details"] = details
        body["code"] = self.code
        return body


class BadRequest(ApiError):
    """The request makes no sense in itself."""

    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    """Nobody knows who asks."""

    code, reason = 401, "Unauthorized"


class NotAcceptable(ApiError):
    """The answer cannot be given in any form that was asked for."""

    code, reason = 406, "NotAcceptable"


class RequestEntityTooLarge(ApiError):
    """The body is larger than the server reads."""

    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    """The body is in a form that the server does not read."""

    code, reason = 415, "UnsupportedMediaType"


class TooManyRequests(ApiError):
    """Not now: the server is busy, or a disruption budget does not allow it."""

    code, reason = 429, "TooManyRequests"


class Forbidden(ApiError):
    """The request is understood and refused."""

    code, reason = 403, "Forbidden"


class NotFound(ApiError):
    """The object, its namespace or its kind does not exist."""

    code, reason = 404, "NotFound"


class MethodNotAllowed(ApiError):
    """The resource does not know this verb."""

    code, reason = 405, "MethodNotAllowed"


class AlreadyExists(ApiError):
    """An object of that name exists."""

    code, reason = 409, "AlreadyExists"


class Conflict(ApiError):
    """The object changed since it was read, or a precondition does not hold."""

    code, reason = 409, "Conflict"


class Expired(ApiError):
    """The resource version is older than what the watch log remembers (HTTP 410, Gone)."""

    code, reason = 410, "Expired"


class Invalid(ApiError):
    """The object breaks rules; ``causes`` name each field."""

    code, reason = 422, "Invalid"


class InternalError(ApiError):
    """The server could not do its part (no address left, a malformed resource version)."""

    code, reason = 500, "InternalError"

    def __init__(self, message: str) -> None:
        super().__init__(f"Internal error occurred: {message}", causes=[Cause("", message)])


class ServerFault(ApiError):
    """A refusal that kube-apiserver answers with 500 and without a reason."""

    code, reason = 500, ""


class ServerTimeout(ApiError):
    """What was asked for has not happened yet (a resource version of the future)."""

    code, reason = 504, "Timeout"


def not_found(kind: Kind, name: str) -> NotFound:
    """``services "web" not found``."""
    return NotFound(f'{kind.resource} "{name}" not found', group=kind.group, resource=kind.plural, name=name)


def already_exists(kind: Kind, name: str) -> AlreadyExists:
    """``services "web" already exists``."""
    return AlreadyExists(f'{kind.resource} "{name}" already exists', group=kind.group, resource=kind.plural, name=name)


def conflict(kind: Kind, name: str, why: str) -> Conflict:
    """``Operation cannot be fulfilled on services "web": why``."""
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return Conflict(message, group=kind.group, resource=kind.plural, name=name)


def modified(kind: Kind, name: str) -> Conflict:
    """The conflict of an optimistic update that came too late."""
    return conflict(
        kind, name, "the object has been modified; please apply your changes to the latest version and try again"
    )


def forbidden(kind: Kind, name: str, why: str, causes: Iterable[Cause] = ()) -> Forbidden:
    """``services "web" is forbidden: why``."""
    message = f'{kind.resource} "{name}" is forbidden: {why}'
    return Forbidden(message, group=kind.group, resource=kind.plural, name=name, causes=causes)


def invalid(kind: Kind, name: str, causes: Iterable[Cause], findings: Iterable[Finding] = ()) -> Invalid:
    """``Service "web" is invalid: field: message``, several in brackets."""
    collected = tuple(causes)
    told = [f"{c.field}: {c.message}" if c.field else c.message for c in collected]
    text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    shown = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    return Invalid(
        f'{shown} "{name}" is invalid: {text}',
        group=kind.group,
        resource=kind.kind,
        name=name,
        causes=collected,
        findings=findings,
    )
