"""Structure of objects: known kinds, known fields, types, required fields, by Kubernetes' own schemas.

In: an object or a ``Manifest``.  Out: findings with field, place and hint; never raises on any object.
Called by ``k8s.acceptance`` and the API server.
Specification: the OpenAPI schemas of Kubernetes 1.36 as shipped by the package ``kubernetes-validate``.
The schemas use few keywords, so a walk of our own names the field and stays fast; ``jsonschema`` is the
reference in the tests.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path
from typing import Any, Final

import msgspec

from switchboard.base.findings import Finding, Severity
from switchboard.k8s import names, objects
from switchboard.k8s.manifests import Manifest
from switchboard.k8s.nearest import nearest
from switchboard.k8s.objects import Object

KUBERNETES: Final = "1.36.0"
_DIRECTORY: Final = f"kubernetes-json-schema/v{KUBERNETES}-local-strict"
_RANGES: Final = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
# Text with a form of its own; what the schemas call byte is base64.
_TEXTS: Final = {
    "quantity": (
        re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?"),
        "a quantity (100m, 2, 1.5Gi)",
    ),
    "byte": (re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"), "base64"),
    "date-time": (
        re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"),
        "a time as in RFC 3339 (2026-04-22T10:00:00Z)",
    ),
}
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_TYPE_NAMES: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
_PYTHON: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}

Schema = dict[str, Any]


def path() -> Path:
    """The file of definitions inside the installed package.

    The package itself is not imported: that would load jsonschema, a tenth of a second, for a path.
    """
    found = importlib.util.find_spec("kubernetes_validate")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("kubernetes_validate is not installed")
    return Path(found.submodule_search_locations[0]) / _DIRECTORY / "_definitions.json"


@functools.cache
def definitions() -> dict[str, Schema]:
    """All definitions by name (``io.k8s.api.core.v1.Service``), read at the first use."""
    return msgspec.json.decode(path().read_bytes())["$defs"]  # type: ignore[no-any-return]


@functools.cache
def known() -> dict[tuple[str, str], Schema]:
    """The schema of every (apiVersion, kind) that Kubernetes itself serves as an object or a list."""
    found: dict[tuple[str, str], Schema] = {}
    for schema in definitions().values():
        kinds = schema.get("x-kubernetes-group-version-kind", ())
        if len(kinds) == 1:  # the others are options that belong to every group
            group, version, kind = (kinds[0][part] for part in ("group", "version", "kind"))
            found[f"{group}/{version}" if group else version, kind] = schema
    return found


def schema_of(api_version: str, kind: str) -> Schema | None:
    """The schema of a kind, None for custom resources and unknown kinds."""
    return known().get((api_version, kind))


def resolve(schema: Schema) -> Schema:
    """A schema with its reference followed; ``x-kubernetes-patch-*`` of the referring field stay with the field."""
    reference = schema.get("$ref")
    return definitions()[reference.rpartition("/")[2]] if reference else schema


def validate(manifest: Manifest) -> list[Finding]:
    """What is wrong with the structure of a manifest, each finding at its field (or the parent when it is missing)."""
    reference = objects.reference(manifest.object)
    return [
        msgspec.structs.replace(finding, object=reference, place=manifest.place(finding.field))
        for finding in check(manifest.object)
    ]


def check(obj: Object) -> list[Finding]:
    """The same for an object without places."""
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    findings = [
        _missing_type(field, obj, wrong=value is not None)
        for field, value in (("apiVersion", api_version), ("kind", kind))
        if not isinstance(value, str) or not value
    ]
    if findings or not isinstance(api_version, str) or not isinstance(kind, str):
        return findings
    schema = schema_of(api_version, kind)
    if schema is None:
        return [_unknown_kind(api_version, kind), *_walk(_custom(), obj, "")]
    return _walk(schema, obj, "")


def _custom() -> Schema:
    """Of a custom resource only the metadata is known."""
    return {"type": "object", "properties": {"metadata": {"$ref": "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}}}


def _missing_type(field: str, obj: Object, *, wrong: bool) -> Finding:
    if wrong:
        return Finding(reference="wrong-type", field=field, message=f"`{field}` must be text.", hint="Correct it.")
    other, position = ("kind", 1) if field == "apiVersion" else ("apiVersion", 0)
    written = obj.get(other)
    fitting = sorted({pair[1 - position] for pair in known() if pair[position] == written}) if written else []
    hint = f"Add `{field}: {fitting[0]}`." if len(fitting) == 1 else f"Add the line `{field}: ...`."
    return Finding(reference="field-required", field=field, message=f"The object has no `{field}`.", hint=hint)


def _unknown_kind(api_version: str, kind: str) -> Finding:
    group = api_version.rpartition("/")[0]
    right = sorted((v for v, k in known() if k == kind), key=lambda v: (v.count("beta"), v.count("alpha"), v))
    built_in = "." not in group or group.endswith(".k8s.io")
    if right and (built_in or group == "extensions"):
        return Finding(
            reference="unknown-kind",
            field="apiVersion",
            message=f"Kubernetes {KUBERNETES} does not serve {kind} at {api_version}.",
            hint=f"Write `apiVersion: {right[0]}`; fields may have changed with it.",
        )
    if any(v == api_version for v, _ in known()):
        near = nearest(kind, {k for v, k in known() if v == api_version})
        hint = f"Did you mean `kind: {near}`?" if near else f"Look up the kinds of {api_version}."
        return Finding(reference="unknown-kind", field="kind", message=f"{api_version} has no kind {kind}.", hint=hint)
    if built_in and group not in (names.GATEWAY, names.SWITCHBOARD):
        near = nearest(api_version, {v for v, _ in known()})
        hint = f"Did you mean `apiVersion: {near}`?" if near else "Correct the apiVersion."
        return Finding(
            reference="unknown-kind", field="apiVersion", message=f"There is no API {api_version}.", hint=hint
        )
    return Finding(
        reference="custom-resource",
        severity=Severity.INFO,
        message=f"{kind} of {api_version} is a custom resource: its fields are not checked.",
        hint="Its own controller or its CustomResourceDefinition knows them.",
    )


def _walk(schema: Schema, value: Any, field: str) -> list[Finding]:
    schema = resolve(schema)
    if "oneOf" in schema:
        return _choice(schema["oneOf"], value, field)
    types = schema.get("type", ())
    wanted = [types] if isinstance(types, str) else list(types)
    if value is None:
        # Kubernetes reads null as "not given"; whether it must be given, its parent decides.
        return []
    if wanted and not _fits(value, wanted):
        return [_wrong_type(field, value, wanted)]
    if isinstance(value, dict):
        return _mapping(schema, value, field)
    if isinstance(value, list):
        items = schema.get("items")
        return [f for i, v in enumerate(value) for f in _walk(items, v, f"{field}[{i}]")] if items else []
    return _leaf(schema, value, field)


def _mapping(schema: Schema, value: dict[str, Any], field: str) -> list[Finding]:
    properties: Schema = schema.get("properties", {})
    additional = schema.get("additionalProperties", True)
    findings: list[Finding] = []
    prefix = f"{field}." if field else ""
    for key, inner in value.items():
        if key in properties:
            findings += _walk(properties[key], inner, prefix + key)
        elif additional is False:
            findings.append(_unknown_field(field, prefix + key, key, properties))
        elif isinstance(additional, dict):
            findings += _walk(additional, inner, prefix + key if _PLAIN_KEY.match(key) else f"{field}[{key}]")
    for key in schema.get("required", ()):
        if value.get(key) is None:
            findings.append(
                Finding(
                    reference="field-required",
                    field=prefix + key,
                    message=f"`{prefix}{key}` is required.",
                    hint=f"Add `{key}` ({_described(properties.get(key, {}))}).",
                )
            )
    return findings


def _choice(choices: list[Schema], value: Any, field: str) -> list[Finding]:
    """A number or text: IntOrString, or a Quantity, which is the one that admits fractions."""
    wanted = [t for choice in choices for t in _list(choice.get("type"))]
    if value is None:
        return []
    if not _fits(value, wanted):
        return [_wrong_type(field, value, wanted)]
    return _leaf({"format": "quantity" if "number" in wanted else "int32"}, value, field)


def _leaf(schema: Schema, value: Any, field: str) -> list[Finding]:
    format_ = schema.get("format", "")
    if isinstance(value, int) and format_ in _RANGES:
        low, high = _RANGES[format_]
        if not low <= value <= high:
            message = f"{value} does not fit into `{field}`."
            return [Finding(reference="wrong-type", field=field, message=message, hint=f"Use a number up to {high}.")]
    if isinstance(value, str) and format_ in _TEXTS:
        pattern, described = _TEXTS[format_]
        if not pattern.fullmatch(value.replace("\n", "")):
            message = f"`{field}` is not {described}: {value[:60]!r}."
            return [Finding(reference="wrong-type", field=field, message=message, hint=f"Write {described}.")]
    return []


def _list(types: str | list[str] | None) -> list[str]:
    return [types] if isinstance(types, str) else types or []


def _fits(value: Any, wanted: list[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in wanted
    return any(isinstance(value, _PYTHON[t]) for t in wanted if t in _PYTHON and t != "boolean")


def _described(schema: Schema) -> str:
    schema = resolve(schema)
    types = [t for choice in schema.get("oneOf", [schema]) for t in _list(choice.get("type")) if t != "null"]
    return " or ".join(_TYPE_NAMES[t] for t in types) or "any value"


def _wrong_type(field: str, value: Any, wanted: list[str]) -> Finding:
    described = " or ".join(_TYPE_NAMES[t] for t in wanted if t != "null")
    kind = next((t for t in ("boolean", "integer", "number", "string", "array", "object") if _fits(value, [t])), "")
    hint = f"Write {described}."
    if "string" in wanted and kind in ("boolean", "integer", "number"):
        hint = f'Put it in quotes: "{_yaml(value)}".'
    elif kind == "string" and {"integer", "number", "boolean"} & set(wanted):
        hint = "Remove the quotes." if _unquoted(value, wanted) else hint
    elif kind == "object" and "array" in wanted:
        hint = "Begin each entry with a dash."
    return Finding(
        reference="wrong-type",
        field=field,
        message=f"`{field}` must be {described}, but is {_TYPE_NAMES.get(kind, 'something else')}.",
        hint=hint,
    )


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unquoted(value: str, wanted: list[str]) -> bool:
    return bool(re.fullmatch(r"[-+]?\d+", value)) if "integer" in wanted else value in ("true", "false")


def _unknown_field(parent: str, field: str, key: str, properties: Schema) -> Finding:
    near = nearest(key, properties)
    where = f"`{parent}`" if parent else "the object"
    return Finding(
        reference="unknown-field",
        field=field,
        message=f"{where[0].upper()}{where[1:]} has no field `{key}`.",
        hint=f"Did you mean `{near}`?" if near else f"Known fields: {', '.join(sorted(properties)[:20])}.",
    )
