"""What one route becomes before it is written as Envoy entries, and how an annotation edits it.

In: values of annotations.  Out: a ``Draft``, frozen; ``compile.gateway.entries`` and ``clusters`` write it out.
Every file of ``compile.gateway.annotations`` exports one ``Annotation`` with its own table of requests.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec


class Protocol(StrEnum):
    """How the gateway speaks to pods."""

    HTTP = "HTTP"
    HTTPS = "HTTPS"
    GRPC = "GRPC"
    GRPCS = "GRPCS"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """Times are seconds; the defaults are those of ingress-nginx.

    A redirect is a complete Location; the temporal one wins.  ``rewrite`` is a replacement with ``$1`` for groups.
    """

    protocol: Protocol = Protocol.HTTP
    connect_timeout: int = 5
    read_timeout: int = 60
    send_timeout: int = 60
    ssl_redirect: bool = True
    force_ssl_redirect: bool = False
    permanent_redirect: str = ""
    permanent_redirect_code: int = 301
    temporal_redirect: str = ""
    temporal_redirect_code: int = 302
    app_root: str = ""
    rewrite: str = ""


class Refused(msgspec.Struct, frozen=True):
    """A value that cannot be honoured: why, and what to write instead.

    ``drop`` leaves the whole route out, for values whose meaning cannot be guessed safely.
    """

    message: str
    hint: str = ""
    drop: bool = False


Edit = Callable[[Draft, str], Draft | Refused]


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One request and its answer, with the annotations (short names) of the main and of the canary Ingress.

    The main Ingress routes ``path_rule`` (of type ``path_type``) to Service ``main``; with ``canary`` set, a second
    one routes the same to ``canary``.  ``backend`` is who answers, empty for the gateway itself.
    """

    main: dict[str, str] = {}
    canary: dict[str, str] | None = None
    path_rule: str = "/"
    path_type: str = "Prefix"
    tls: bool = False
    scheme: str = "http"
    path: str = "/"
    headers: dict[str, str] = {}
    status: int = 200
    backend: str = "main"
    location: str = ""
    seen_path: str = ""


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """An annotation of ``nginx.ingress.kubernetes.io/``: its effect in one sentence, its edit, its request table.

    ``edit`` is None where the view already acts on it (canaries, regular expressions).
    """

    name: str
    summary: str
    edit: Edit | None = None
    examples: tuple[Example, ...]


def boolean(value: str) -> bool | None:
    """A boolean as Go's strconv.ParseBool reads it, None for anything else."""
    if value in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    return False if value in ("0", "f", "F", "false", "FALSE", "False") else None


def not_boolean(value: str) -> Refused:
    """The refusal of a value that is no boolean."""
    return Refused(f"{value!r} is no boolean", 'Write "true" or "false".')


def whole_seconds(value: str) -> int | Refused:
    """A time-out: a whole number of seconds above 0, without a unit."""
    if value.isascii() and value.isdigit() and int(value[:9]) > 0 and len(value) < 9:
        return int(value)
    return Refused(f"{value!r} is no whole number of seconds, so the default stays", "Write it without a unit.")


def redirect_target(value: str) -> Refused | None:
    """Why a value cannot be a Location: the target of a redirect is a URL, nginx variables are not expanded."""
    if "$" in value or not value.startswith(("http://", "https://", "/")) or any(c <= " " for c in value):
        return Refused(f"{value!r} is no plain URL", "Write a URL without variables and blanks.", drop=True)
    return None


def redirect_code(value: str, highest: int) -> int | Refused:
    """A status from 300 to ``highest``."""
    if value in (str(code) for code in range(300, highest + 1)):
        return int(value)
    return Refused(f"{value!r} is no status from 300 to {highest}, so the default stays")
