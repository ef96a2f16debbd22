"""Requests as facts, and what their paths mean.

In: method, raw path, query, headers, body.  Out: a frozen ``Request`` and its ``Target``.
Made by ``serve``; read by every module of this package.
Specification: https://kubernetes.io/docs/reference/using-api/api-concepts/ (resource URIs).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, unquote

import msgspec

from switchboard.api.errors import BadRequest, NotFound
from switchboard.api.server.booleans import truthy

MAX_BODY: Final = 3 * 1024 * 1024
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch"}
# Of a namespace itself; anything else behind its name is a resource within it.
_OF_NAMESPACES: Final = ("status", "finalize")


class Certificate(msgspec.Struct, frozen=True):
    """The subject of a client certificate that TLS has verified: a user and groups."""

    common_name: str
    organizations: tuple[str, ...] = ()


class Request(msgspec.Struct, frozen=True):
    """One request; header names are lower case, ``path`` is still percent-encoded, ``query`` keeps its order."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    certificate: Certificate | None = None

    def header(self, name: str) -> str:
        """The first value of a header (lower case), empty when it is not there."""
        return next((v for k, v in self.headers if k == name), "")

    def all(self, name: str) -> list[str]:
        """Every value of a query parameter, in order."""
        return [v for k, v in self.query if k == name]

    def parameter(self, name: str) -> str:
        """The first value of a query parameter, empty when it is not there."""
        return next((v for k, v in self.query if k == name), "")


class Target(msgspec.Struct, frozen=True):
    """What a request is about, as authorization sees it.

    ``resource`` is empty for paths that are no resources; ``rest`` is what follows a subresource (proxy paths).
    """

    verb: str
    path: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    rest: str = ""

    def method_mismatch(self, method: str) -> bool:
        """Whether the path is that of an object and the method one of collections, or the other way round."""
        on_object = self.path.rstrip("/").rpartition("/")[2] not in ("", self.resource)
        if method in ("PUT", "PATCH"):
            return not self.name
        return method == "POST" and bool(self.name) and on_object


def query_of(text: str) -> tuple[tuple[str, str], ...]:
    """Parameters of a query string; raises ``BadRequest`` for bytes that are no UTF-8."""
    try:
        return tuple(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=1000))
    except ValueError as error:
        raise BadRequest("the query is not readable") from error


def target_of(request: Request) -> Target:
    """What a request is about; raises ``BadRequest`` or ``NotFound`` for paths with tricks."""
    try:
        parts = [unquote(part, errors="strict") for part in request.path.split("/")]
    except UnicodeDecodeError as error:
        raise BadRequest("the path is not UTF-8") from error
    if any(part in (".", "..") or "\x00" in part for part in parts):
        raise NotFound("the server could not find the requested resource")
    path = "/".join(parts)
    words = [part for part in parts if part]
    found = _resource(request, path, words)
    return found or Target(verb=request.method.lower() if request.method != "HEAD" else "get", path=path)


def _resource(request: Request, path: str, words: list[str]) -> Target | None:
    if words[:1] == ["api"] and len(words) > 2:
        group, version, rest = "", words[1], words[2:]
    elif words[:1] == ["apis"] and len(words) > 3:
        group, version, rest = words[1], words[2], words[3:]
    else:
        return None
    watched = rest[0] == "watch" and len(rest) > 1
    rest = rest[1:] if watched else rest
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _OF_NAMESPACES:
            rest = rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    verb = "watch" if watched else _verb(request, name)
    return Target(
        verb=verb,
        path=path,
        group=group,
        version=version,
        resource=rest[0],
        subresource=rest[2] if len(rest) > 2 else "",
        namespace=namespace,
        name=name or (_selected_name(request) if verb in ("list", "watch", "deletecollection") else ""),
        rest="/".join(rest[3:]),
    )


def _verb(request: Request, name: str) -> str:
    if request.method in ("GET", "HEAD"):
        if name:
            return "get"
        return "watch" if truthy(request.parameter("watch")) else "list"
    if request.method == "DELETE":
        return "delete" if name else "deletecollection"
    return _VERBS.get(request.method, request.method.lower())


def _selected_name(request: Request) -> str:
    """Who lists one object by its name needs the right to that name only."""
    selector = request.parameter("fieldSelector")
    if "," in selector:
        return ""
    key, sign, value = selector.partition("=")
    return value.lstrip("=") if sign and key == "metadata.name" else ""
