"""Bodies in, forms out: what a request carries and what it accepts.

In: a ``Request``.  Out: decoded objects with what strict reading would refuse, and the form of the answer.
Called by the router and the writes.
Specification: https://kubernetes.io/docs/reference/using-api/api-concepts/
Protocol buffers are read, since kubectl writes them; answers are JSON, which every client that accepts both takes.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
import yaml

from switchboard.api.errors import BadRequest, NotAcceptable, UnsupportedMediaType
from switchboard.api.server.request import Request
from switchboard.k8s import names, protobuf

JSON: Final = "application/json"
YAML: Final = "application/yaml"
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
_MERGE, _JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
_STRATEGIC, _APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
PATCHES: Final = {_JSON_PATCH: "json", _MERGE: "merge", _STRATEGIC: "strategic", _APPLY: "apply"}
TABLE, PARTIAL, PARTIAL_LIST = "Table", "PartialObjectMetadata", "PartialObjectMetadataList"
MAX_DEPTH: Final = 10_000
_ACCEPTED: Final = f"{JSON}, {YAML}"


class Form(msgspec.Struct, frozen=True):
    """How an answer is wanted: the media type, and ``as_``, the kind it is turned into (empty for itself)."""

    media: str = JSON
    as_: str = ""
    group: str = ""
    version: str = ""
    pretty: bool = False


class Body(msgspec.Struct, frozen=True):
    """A decoded body; ``duplicates`` are keys that came twice, which strict reading refuses."""

    value: Any
    duplicates: tuple[str, ...] = ()


def media_type(header: str) -> str:
    """The media type of a header without its parameters, lower case."""
    return header.partition(";")[0].strip().lower()


def form_of(request: Request, *, allowed: tuple[str, ...] = ()) -> Form:
    """The first form of the Accept header that we can give; raises ``NotAcceptable``.

    ``allowed`` are the kinds that the answer may be turned into.
    """
    header = request.header("accept")
    pretty = request.parameter("pretty") in ("1", "true")
    if not header.strip():
        return Form(pretty=pretty)
    for clause in header.split(","):
        media, *parameters = (part.strip() for part in clause.split(";"))
        settings = dict(p.partition("=")[::2] for p in parameters)
        if media in ("*/*", "application/*"):
            return Form(pretty=pretty)
        if media not in (JSON, YAML):
            continue
        as_ = settings.get("as", "")
        if not as_:
            return Form(media=media, pretty=pretty)
        if as_ in allowed and settings.get("v") == ("v2" if settings.get("g") == names.APIDISCOVERY else "v1"):
            return Form(media=media, as_=as_, group=settings.get("g", ""), version=settings["v"], pretty=pretty)
    raise NotAcceptable(f"only the following media types are accepted: {_ACCEPTED}")


def encoded(value: Any, form: Form) -> bytes:
    """A value in the media type that was asked for."""
    if form.media == YAML:
        return yaml.safe_dump(value, default_flow_style=False, sort_keys=False).encode()
    data = msgspec.json.encode(value)
    return msgspec.json.format(data, indent=2) if form.pretty else data + b"\n"


def body_of(request: Request, kind: str) -> Body:
    """The body of a create or update; ``kind`` is what it must hold, for the message."""
    media = media_type(request.header("content-type")) or JSON
    if media not in (JSON, YAML, PROTOBUF):
        raise UnsupportedMediaType(
            f"the body of the request was in an unknown format - accepted media types include: {_ACCEPTED}, {PROTOBUF}"
        )
    try:
        return decoded(request.body, media)
    except ValueError as error:
        shown = request.body[:200].decode("utf-8", "replace") or "<empty>"
        raise BadRequest(
            f"the object provided is unrecognized (must be of type {kind}): "
            f"couldn't get version/kind; json parse error: {error} ({shown})"
        ) from error


def decoded(data: bytes, media: str) -> Body:
    """A decoded body; raises ValueError with the place of what cannot be read."""
    if media == PROTOBUF:
        return Body(protobuf.decode(data))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"invalid UTF-8 at byte {error.start}") from error
    try:
        return _yaml(text) if media in (YAML, _APPLY) else _json(text)
    except RecursionError as error:
        raise ValueError("the nesting is too deep") from error


def _json(text: str) -> Body:
    if not text.strip():
        raise ValueError("unexpected end of JSON input")
    duplicates: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            found = _merged(pairs, duplicates)
        return found

    try:
        value = json.loads(text, object_pairs_hook=collect, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} (line {error.lineno}, column {error.colno})") from error
    return Body(value, tuple(duplicates))


def _merged(pairs: list[tuple[str, Any]], duplicates: list[str]) -> dict[str, Any]:
    """A key that comes again overwrites a value and adds to a mapping, as decoding into one structure does."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            duplicates.append(key)
            if isinstance(found[key], dict) and isinstance(value, dict):
                value = {**found[key], **value}
        found[key] = value
    return found


def _constant(text: str) -> Any:
    raise ValueError(f"invalid character in literal {text}")


class _Loader(yaml.SafeLoader):
    """YAML as JSON values: duplicate keys are noted, times stay text."""

    duplicates: list[str]


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    loader.flatten_mapping(node)
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            key = json.dumps(key) if isinstance(key, bool | int | float) else str(key)
        if key in found:
            loader.duplicates.append(key)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(node.value)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)


def _yaml(text: str) -> Body:
    try:
        return _json(text)
    except ValueError:
        pass
    try:
        loader = _Loader(text)
    except yaml.YAMLError as error:
        raise ValueError(f"yaml: {' '.join(str(error).split())}") from error
    loader.duplicates = []
    try:
        # Aliases may not make a small text large.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise ValueError("yaml: aliases are not read")
        value = loader.get_single_data()
        msgspec.json.encode(value)
    except (yaml.YAMLError, TypeError) as error:
        raise ValueError(f"yaml: {' '.join(str(error).split())}") from error
    finally:
        loader.dispose()
    return Body(value, tuple(loader.duplicates))


def patch_type(request: Request) -> str:
    """``json``, ``merge``, ``strategic`` or ``apply``; raises ``UnsupportedMediaType``."""
    media = media_type(request.header("content-type"))
    if media not in PATCHES:
        raise UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: " + ", ".join(PATCHES)
        )
    return PATCHES[media]


def patch_of(request: Request, kind: str) -> Body:
    """The body of a patch, of the shape that its kind has; raises ``BadRequest``."""
    try:
        found = decoded(request.body, _APPLY if kind == "apply" else JSON)
    except ValueError as error:
        raise BadRequest(f"error decoding patch: {error}") from error
    wanted, shape = (list, "array") if kind == "json" else (dict, "object")
    if not isinstance(found.value, wanted):
        raise BadRequest(f"error decoding patch: json: cannot unmarshal: the patch must be a JSON {shape}")
    return found
