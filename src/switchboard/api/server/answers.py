"""Answers as facts: a status, headers and bytes; and the forms that objects and lists are given in.

In: objects or stored records.  Out: frozen ``Answer`` values.
Called by every part that answers; ``serve`` writes them to sockets.
Specification: https://kubernetes.io/docs/reference/using-api/api-concepts/
Lists are joined from stored bytes: an object is decoded only when a table or another version is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from switchboard.api.errors import ApiError, NotAcceptable
from switchboard.api.server import content
from switchboard.api.server.content import PARTIAL, PARTIAL_LIST, TABLE, Form
from switchboard.api.server.tables import Columns, rows_of, table
from switchboard.api.server.versions import as_version
from switchboard.k8s import names
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object, metadata

TEXT: Final = "text/plain; charset=utf-8"
META_V1: Final = f"{names.META}/v1"
FORMS: Final = (TABLE, PARTIAL, PARTIAL_LIST)


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer; ``headers`` beside the content type."""

    status: int
    body: bytes
    content_type: str = content.JSON
    headers: tuple[tuple[str, str], ...] = ()


class Shown(msgspec.Struct, frozen=True):
    """How objects are shown: the wanted form, the columns of the kind, the clock of ages, the table's objects."""

    form: Form
    columns: Columns
    now: datetime
    include: str = "Metadata"


def refusal(error: ApiError, form: Form | None = None) -> Answer:
    """The Status of a refusal."""
    form = form or Form()
    headers = (("Retry-After", str(error.retry_after)),) if error.retry_after else ()
    plain = Form(media=form.media, pretty=form.pretty)
    return Answer(error.code, content.encoded(error.status(), plain), plain.media, headers)


def warned(answer: Answer, warnings: Sequence[str]) -> Answer:
    """The answer with Warning headers, each text once."""
    if not warnings:
        return answer
    lines = (w.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for w in dict.fromkeys(warnings))
    headers = tuple(("Warning", f'299 - "{line}"') for line in lines)
    return msgspec.structs.replace(answer, headers=(*answer.headers, *headers))


def plain(status: int, text: str) -> Answer:
    """Text, as health checks answer it."""
    return Answer(status, text.encode(), TEXT)


def document(value: Any, form: Form, status: int = 200) -> Answer:
    """A value that is no stored object: discovery, reviews, Status."""
    return Answer(status, content.encoded(value, form), form.media)


def partial(obj: Object) -> Object:
    """The metadata of an object alone."""
    return {"kind": PARTIAL, "apiVersion": META_V1, "metadata": metadata(obj)}


def one(obj: Object, kind: Kind, shown: Shown, status: int = 200) -> Answer:
    """One object in the wanted form; raises ``NotAcceptable`` for the form of lists."""
    form = shown.form
    if form.as_ == PARTIAL_LIST:
        raise NotAcceptable(f"you requested {PARTIAL_LIST}, but the requested object is not a list")
    return document(shaped(obj, kind, shown), form, status)


def shaped(obj: Object, kind: Kind, shown: Shown) -> Object:
    """One object as itself, as metadata or as a table of one row."""
    obj = as_version(obj, kind)
    if shown.form.as_ == TABLE:
        found = table(shown.columns, rows_of(shown.columns, [obj], shown.now, shown.include))
        version = metadata(obj).get("resourceVersion")
        return {**found, "metadata": {"resourceVersion": version} if version else {}}
    return partial(obj) if shown.form.as_ == PARTIAL else obj


def many(records: Iterable[bytes], kind: Kind, shown: Shown, meta: Object, *, typed: bool) -> Answer:
    """A list in the wanted form; ``typed`` lists (of built-in kinds) leave kind and apiVersion out of their items."""
    form = shown.form
    if form.as_ == PARTIAL:
        raise NotAcceptable(f"you requested {PARTIAL}, but the requested object is a list (*{kind.kind}List)")
    if form.as_ == TABLE:
        objects = [as_version(msgspec.json.decode(data), kind) for data in records]
        found = {**table(shown.columns, rows_of(shown.columns, objects, shown.now, shown.include)), "metadata": meta}
        return document(found, form)
    if form.as_ == PARTIAL_LIST:
        items = [partial(msgspec.json.decode(data)) for data in records]
        return document({"kind": PARTIAL_LIST, "apiVersion": META_V1, "metadata": meta, "items": items}, form)
    body = joined(records, kind, meta, typed=typed)
    if form.media != content.JSON or form.pretty:
        return document(msgspec.json.decode(body), form)
    return Answer(200, body)


def prefix_of(kind: Kind) -> bytes:
    """How stored bytes of a kind begin."""
    return b'{"kind":"%s","apiVersion":"%s",' % (kind.kind.encode(), kind.api_version.encode())


def stored_as(data: bytes, kind: Kind) -> bytes:
    """Stored bytes at the version of a kind: themselves, unless they were stored at another one."""
    if data.startswith(prefix_of(kind)):
        return data
    return msgspec.json.encode(as_version(msgspec.json.decode(data), kind))


def joined(records: Iterable[bytes], kind: Kind, meta: Object, *, typed: bool) -> bytes:
    """A list as bytes."""
    skip = len(prefix_of(kind)) if typed else 0
    # Lists of custom objects say so even when nothing follows.
    meta = meta if typed else {"continue": "", **meta}
    items = []
    for data in records:
        data = stored_as(data, kind)
        items.append(b"{" + data[skip:] if skip else data)
    head = b'{"kind":"%sList","apiVersion":"%s","metadata":%s,"items":[' % (
        kind.kind.encode(), kind.api_version.encode(), msgspec.json.encode(meta),
    )  # fmt: skip
    return head + b",".join(items) + b"]}\n"
