"""OpenAPI documents: schemas of all kinds with their documentation, version 2 in one, version 3 by group.

In: the resources and the schemas of Kubernetes.  Out: documents as bytes, made at the first use and kept.
Called by the documents; read by ``kubectl explain`` and by clients that check objects.
Specification: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition
The schemas come from the package that ships them in strict JSON form; what is typical of that form is put back.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from switchboard.api.server import answers, content
from switchboard.api.server.answers import Answer
from switchboard.api.server.request import Request
from switchboard.api.server.resources import Resource, Resources
from switchboard.k8s import schemas
from switchboard.k8s.objects import Object

_V2: Final = "#/definitions/"
_V3: Final = "#/components/schemas/"
_DROPPED: Final = ("$schema", "additionalProperties")
_ACTIONS: Final = {"get": "get", "list": "get", "create": "post", "update": "put", "patch": "patch", "delete": "delete"}


def answer(resources: Resources, words: list[str], request: Request) -> Answer | None:
    """``/openapi/v2``, ``/openapi/v3`` or ``/openapi/v3/PATH``; None when there is no such document."""
    form = _form(request)
    if words == ["v2"]:
        return answers.document(version_2(resources), form)
    if words == ["v3"]:
        return answers.document({"paths": index(resources)}, form)
    if words[:1] != ["v3"]:
        return None
    found = version_3(resources, words[1:])
    return None if found is None else answers.document(found, form)


def _form(request: Request) -> content.Form:
    """kubectl asks for protocol buffers first; JSON is what it gets."""
    wanted = request.header("accept")
    if "json" not in wanted and "*" not in wanted and wanted:
        # The media type of version 2 has no JSON in its name; clients take what they get when the header says so.
        return content.Form()
    return content.Form()


def _groups(resources: Resources) -> dict[str, list[Resource]]:
    """Stored and stateless resources by the path of their group and version."""
    found: dict[str, list[Resource]] = {}
    for resource in resources:
        found.setdefault(resource.kind.prefix.removeprefix("/"), []).append(resource)
    return found


def index(resources: Resources) -> Object:
    """Where the document of each group and version is; the hash changes with its resources."""
    return {
        path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={_hash(found)}"}
        for path, found in _groups(resources).items()
    }


def _hash(found: list[Resource]) -> str:
    data = msgspec.json.encode([r.kind for r in found]) + schemas.KUBERNETES.encode()
    return hashlib.sha256(data).hexdigest()[:32].upper()


def version_3(resources: Resources, words: list[str]) -> Object | None:
    """The document of one group and version."""
    found = _groups(resources).get("/".join(words))
    if found is None:
        return None
    wanted: dict[str, Any] = {}
    for resource in found:
        name = definition_name(resource)
        if name:
            _collect(name, wanted, _V3)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": f"v{schemas.KUBERNETES}"},
        "paths": _paths(found, _V3),
        "components": {"schemas": wanted},
    }


def version_2(resources: Resources) -> Object:
    """All groups in one document."""
    wanted: dict[str, Any] = {}
    paths: Object = {}
    for found in _groups(resources).values():
        paths.update(_paths(found, _V2))
        for resource in found:
            name = definition_name(resource)
            if name:
                _collect(name, wanted, _V2)
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": f"v{schemas.KUBERNETES}"},
        "paths": paths,
        "definitions": wanted,
    }


def definition_name(resource: Resource) -> str:
    """The name of a resource's schema, empty when none is known."""
    wanted = {"group": resource.kind.group, "version": resource.kind.version, "kind": resource.kind.kind}
    return _by_kind().get((wanted["group"], wanted["version"], wanted["kind"]), "")


def _by_kind() -> dict[tuple[str, str, str], str]:
    found = {}
    for name, schema in schemas.definitions().items():
        marks = schema.get("x-kubernetes-group-version-kind", ())
        if len(marks) == 1:
            mark = marks[0]
            found[mark["group"], mark["version"], mark["kind"]] = name
    return found


def _collect(name: str, found: dict[str, Any], prefix: str) -> None:
    """A definition and all that it refers to."""
    if name in found:
        return
    found[name] = {}
    found[name] = _plain(schemas.definitions()[name], found, prefix)


def _plain(schema: Any, found: dict[str, Any], prefix: str) -> Any:
    """A schema as OpenAPI has it: one type, references into the document, no strictness."""
    if isinstance(schema, list):
        return [_plain(item, found, prefix) for item in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        name = reference.rpartition("/")[2]
        _collect(name, found, prefix)
        rest = {k: v for k, v in schema.items() if k != "$ref"}
        if prefix == _V3 and rest:
            return {**rest, "allOf": [{"$ref": prefix + name}], "default": {}}
        return {"$ref": prefix + name, **rest}
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            result[key] = {name: _plain(inner, found, prefix) for name, inner in value.items()}
        elif key == "type":
            result[key] = next((t for t in value if t != "null"), "object") if isinstance(value, list) else value
        elif key == "additionalProperties" and not isinstance(value, dict):
            continue
        elif key == "oneOf":
            result.update({"type": "string"} if prefix == _V2 else {"oneOf": [{"type": "string"}, {"type": "integer"}]})
        elif key == "enum" and "x-kubernetes-group-version-kind" not in schema and len(value) == 1:
            continue
        elif key != "$schema":
            result[key] = _plain(value, found, prefix)
    return result


def _paths(found: list[Resource], prefix: str) -> Object:
    paths: Object = {}
    for resource in found:
        kind = resource.kind
        space = "/namespaces/{namespace}" if kind.namespaced else ""
        collection = f"{kind.prefix}{space}/{kind.plural}"
        below = [f"{collection}/{{name}}/{sub.name}" for sub in resource.subresources if sub.kind == kind.kind]
        name = definition_name(resource)
        places = ((collection, ("list", "create")), (f"{collection}/{{name}}", ("get", "update", "patch", "delete")))
        for path, verbs in places:
            operations = {_ACTIONS[v]: _operation(resource, v, name, prefix) for v in verbs if v in resource.verbs}
            if operations:
                paths[path] = operations
        for path in below:
            paths[path] = {_ACTIONS[v]: _operation(resource, v, name, prefix) for v in ("get", "update", "patch")}
    return paths


def _operation(resource: Resource, verb: str, name: str, prefix: str) -> Object:
    kind = resource.kind
    answered: Object = {"description": "OK"}
    if name and prefix == _V3:
        answered["content"] = {content.JSON: {"schema": {"$ref": prefix + name}}}
    elif name:
        answered["schema"] = {"$ref": prefix + name}
    query = ["dryRun", "fieldManager", "fieldValidation"] if verb in ("create", "update", "patch") else []
    return {
        "operationId": f"{verb}{kind.group.title().replace('.', '')}{kind.version.title()}{kind.kind}",
        "parameters": [_parameter(q, prefix) for q in query],
        "responses": {"200": answered},
        "x-kubernetes-action": {"create": "post", "update": "put"}.get(verb, verb),
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
    }


def _parameter(name: str, prefix: str) -> Object:
    shape: Object = {"schema": {"type": "string", "uniqueItems": True}} if prefix == _V3 else {"type": "string"}
    return {"name": name, "in": "query", **shape}
