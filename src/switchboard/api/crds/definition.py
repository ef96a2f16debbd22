"""CustomResourceDefinitions themselves: defaults, validation, what an update may not change, and their names' status.

In: a definition as sent, and the stored one.  Out: the definition completed in place, causes, warnings.
Called by ``api.admission`` for the kind, and by ``upkeep`` for the conditions.
Specification: https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/custom-resource-definition-v1/
A part that is the same in all versions is complained about at ``spec.validation``, ``spec.subresources`` or
``spec.additionalPrinterColumns``, where it lay before versions had their own; kube-apiserver does so too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from switchboard.api.crds import paths, structural
from switchboard.api.crds.check import DUPLICATE, INVALID, NOT_SUPPORTED, REQUIRED, same, told
from switchboard.api.crds.columns import FORMATS, TYPES
from switchboard.api.errors import Cause
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, metadata, sequence, spec, status, text

KIND: Final = "CustomResourceDefinition"
_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_RULE: Final = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character"
)
_DOMAIN_RULE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)
_MAX_SELECTABLE: Final = 8


def default(obj: Object) -> None:
    """Fill in what a definition leaves out: singular, listKind, the conversion."""
    body = obj.setdefault("spec", {})
    if not isinstance(body, dict):
        return
    if isinstance(body.get("names"), dict):
        body["names"] = _named(body["names"])
    conversion = body.get("conversion")
    if not isinstance(conversion, dict) or not conversion.get("strategy"):
        body["conversion"] = {**mapping(conversion), "strategy": "None"}
    if body.get("preserveUnknownFields") is False:
        del body["preserveUnknownFields"]
    for version in sequence(body.get("versions")):
        for rule in _of_conversion_webhook(version):
            version.pop(rule, None)


def _of_conversion_webhook(version: Any) -> tuple[str, ...]:
    """Empty lists of a version are the same as none."""
    if not isinstance(version, dict):
        return ()
    return tuple(k for k in ("additionalPrinterColumns", "selectableFields") if version.get(k) == [])


def _named(names: dict[str, Any]) -> dict[str, Any]:
    kind = text(names.get("kind"))
    found = {**names}
    if kind:
        found["singular"] = names.get("singular") or kind.lower()
        found["listKind"] = names.get("listKind") or f"{kind}List"
    order = ("plural", "singular", "shortNames", "kind", "listKind", "categories")
    return {key: found[key] for key in order if found.get(key)}


def begin_status(obj: Object) -> None:
    """The status of a new definition, before its names are accepted."""
    stored = [v["name"] for v in _versions(obj) if v.get("storage") and isinstance(v.get("name"), str)][:1]
    obj["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored or None}


def keep_stored_versions(obj: Object, old: Object) -> None:
    """On an update of the definition: a version that becomes the storage version joins those that may be stored."""
    kept = {**status(old)}
    stored = [*sequence(kept.get("storedVersions"))]
    stored += [v["name"] for v in _versions(obj) if v.get("storage") and v.get("name") not in stored]
    kept["storedVersions"] = stored
    obj["status"] = kept


def _versions(obj: Object) -> list[dict[str, Any]]:
    return [v for v in sequence(spec(obj).get("versions")) if isinstance(v, dict)]


def established(obj: Object) -> bool:
    """Whether its names were accepted and its objects are served."""
    conditions = sequence(status(obj).get("conditions"))
    return any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions if isinstance(c, dict))


def validate(obj: Object, old: Object | None = None) -> list[Cause]:
    """Everything that is wrong with a definition, defaults filled in; ``old`` on updates."""
    body, meta = spec(obj), metadata(obj)
    found = [*_group(obj), *_names(mapping(body.get("names"))), *_version_names(obj)]
    names = mapping(body.get("names"))
    wanted = f"{text(names.get('plural'))}.{text(body.get('group'))}"
    if text(meta.get("name")) != wanted:
        why = f'Invalid value: {told(meta.get("name"))}: must be spec.names.plural+"."+spec.group'
        found.append(Cause(INVALID, why, "metadata.name"))
    scope = body.get("scope")
    if scope not in ("Cluster", "Namespaced"):
        word, reason = ("Unsupported value", NOT_SUPPORTED) if scope else ("Required value", REQUIRED)
        found.append(Cause(reason, f'{word}: {told(scope)}: supported values: "Cluster", "Namespaced"', "spec.scope"))
    if body.get("preserveUnknownFields"):
        why = (
            "Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead"
        )
        found.append(Cause(INVALID, why, "spec.preserveUnknownFields"))
    found += _conversion(obj)
    for part, place, check in (
        ("schema", "validation", _schema),
        ("subresources", "subresources", _subresources),
        ("additionalPrinterColumns", "additionalPrinterColumns", _columns),
        ("selectableFields", "selectableFields", _selectable),
    ):
        found += _each_version(obj, part, place, check)
    found += _stored(obj)
    return found + (_unchanged(obj, old) if old is not None else [])


def _group(obj: Object) -> Iterator[Cause]:
    group = text(spec(obj).get("group"))
    if not group:
        yield Cause(REQUIRED, "Required value", "spec.group")
    elif not _SUBDOMAIN.fullmatch(group):
        yield Cause(INVALID, f"Invalid value: {told(group)}: {_DOMAIN_RULE}", "spec.group")
    elif "." not in group:
        why = f"Invalid value: {told(group)}: should be a domain with at least one dot"
        yield Cause(INVALID, why, "spec.group")
    if group.endswith(names.PROTECTED_GROUPS) and not objects.annotations(obj).get(names.APPROVED_ANNOTATION):
        why = "Required value: protected groups must have approval annotation, see https://github.com/kubernetes/enhancements/pull/1111"
        yield Cause(REQUIRED, why, f"metadata.annotations[{names.APPROVED_ANNOTATION}]")


def _label(value: Any, field: str) -> Iterator[Cause]:
    if not value:
        yield Cause(REQUIRED, "Required value", field)
    elif not isinstance(value, str) or not _DNS_1035.fullmatch(value):
        yield Cause(INVALID, f"Invalid value: {told(value)}: {_LABEL_RULE}", field)


def _names(names: dict[str, Any]) -> Iterator[Cause]:
    yield from _label(names.get("plural"), "spec.names.plural")
    yield from _label(names.get("singular"), "spec.names.singular")
    for key in ("kind", "listKind"):
        for cause in _label(text(names.get(key)).lower(), f"spec.names.{key}"):
            yield Cause(
                cause.reason,
                cause.message.replace(": a DNS", ": may have mixed case, but should otherwise match: a DNS"),
                cause.field,
            )
    for key in ("shortNames", "categories"):
        for number, value in enumerate(sequence(names.get(key))):
            yield from _label(value, f"spec.names.{key}[{number}]")
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield Cause(INVALID, "Invalid value: kind and listKind may not be the same", "spec.names.listKind")


def _version_names(obj: Object) -> Iterator[Cause]:
    versions = _versions(obj)
    names = [v.get("name") for v in versions]
    for number, name in enumerate(names):
        faults = list(_label(name, f"spec.versions[{number}].name"))
        yield from faults
        if faults and number == 0:
            yield Cause(faults[0].reason, faults[0].message, "spec.version")
    if len({told(n) for n in names}) < len(names):
        yield Cause(INVALID, "Invalid value: must contain unique version names", "spec.versions")
    if sum(v.get("storage") is True for v in versions) != 1:
        why = "Invalid value: must have exactly one version marked as storage version"
        yield Cause(INVALID, why, "spec.versions")


def _stored(obj: Object) -> Iterator[Cause]:
    stored = sequence(status(obj).get("storedVersions"))
    versions = _versions(obj)
    if not stored:
        yield Cause(INVALID, "Invalid value: null: must have at least one stored version", "status.storedVersions")
        return
    missing = [v.get("name") for v in versions if v.get("storage") and v.get("name") not in stored]
    if missing:
        why = f"Invalid value: {told(stored)}: must have the storage version {missing[-1]}"
        yield Cause(INVALID, why, "status.storedVersions")
    for number, name in enumerate(stored):
        if name not in [v.get("name") for v in versions]:
            why = (
                f"Invalid value: {told(name)}: missing from spec.versions; {name} was previously a storage version, "
                "and must remain in spec.versions until a storage migration ensures no data remains persisted in "
                f"{name} and removes {name} from status.storedVersions"
            )
            yield Cause(INVALID, why, f"status.storedVersions[{number}]")


def _conversion(obj: Object) -> Iterator[Cause]:
    strategy = mapping(spec(obj).get("conversion")).get("strategy")
    served = [v for v in _versions(obj) if v.get("served")]
    if strategy == "None" or (strategy == "Webhook" and len(served) < 2):
        return
    why = f'Unsupported value: {told(strategy)}: supported values: "None"'
    if strategy == "Webhook":
        why += "; this server calls no conversion webhooks: serve one version, or convert by None"
    yield Cause(NOT_SUPPORTED, why, "spec.conversion.strategy")


def _each_version(obj: Object, part: str, place: str, check: Any) -> Iterator[Cause]:
    versions = _versions(obj)
    parts = [v.get(part) for v in versions]
    if not parts:
        return
    if all(same(p, parts[0]) for p in parts) and (parts[0] is not None or part != "schema"):
        yield from check(parts[0], f"spec.{place}", versions[0])
        return
    for number, (value, version) in enumerate(zip(parts, versions, strict=True)):
        yield from check(value, f"spec.versions[{number}].{part}", version)


def _schema(value: Any, path: str, version: dict[str, Any]) -> list[Cause]:
    return structural.validate(mapping(value).get("openAPIV3Schema"), f"{path}.openAPIV3Schema")


def _subresources(value: Any, path: str, version: dict[str, Any]) -> Iterator[Cause]:
    scale = mapping(value).get("scale")
    if not isinstance(scale, dict):
        return
    for key, roots in (
        ("specReplicasPath", ("spec",)),
        ("statusReplicasPath", ("status",)),
        ("labelSelectorPath", ("spec", "status")),
    ):
        given, field = scale.get(key), f"{path}.scale.{key}"
        if not given:
            if key != "labelSelectorPath":
                yield Cause(REQUIRED, "Required value", field)
            continue
        keys = paths.simple(given) if isinstance(given, str) else None
        if keys is None:
            yield Cause(INVALID, f"Invalid value: {told(given)}: must be a simple json path with no array", field)
        elif keys[0] not in roots or len(keys) < 2:
            under = " or ".join(f".{root}" for root in roots)
            yield Cause(INVALID, f"Invalid value: {told(given)}: should be a json path under {under}", field)


def _columns(value: Any, path: str, version: dict[str, Any]) -> Iterator[Cause]:
    for number, column in enumerate(sequence(value)):
        column, field = mapping(column), f"{path}[{number}]"
        if not column.get("name"):
            yield Cause(REQUIRED, "Required value", f"{field}.name")
        if column.get("type") not in TYPES:
            word, reason = ("Invalid value", INVALID) if column.get("type") else ("Required value", REQUIRED)
            yield Cause(
                reason, f"{word}: {told(column.get('type'))}: must be one of {','.join(TYPES)}", f"{field}.type"
            )
        if column.get("format") and column["format"] not in FORMATS:
            yield Cause(
                INVALID,
                f"Invalid value: {told(column['format'])}: must be one of {','.join(FORMATS)}",
                f"{field}.format",
            )
        given = column.get("jsonPath")
        if not given:
            yield Cause(REQUIRED, "Required value", f"{field}.JSONPath")
        elif not isinstance(given, str) or not given.startswith(".") or paths.parse(given) is None:
            why = f"Invalid value: {told(given)}: must be a simple json path starting with ."
            yield Cause(INVALID, why, f"{field}.JSONPath")


def _selectable(value: Any, path: str, version: dict[str, Any]) -> Iterator[Cause]:
    schema = mapping(mapping(version.get("schema")).get("openAPIV3Schema"))
    seen: set[str] = set()
    for number, entry in enumerate(sequence(value)):
        given, field = text(mapping(entry).get("jsonPath")), f"{path}[{number}].jsonPath"
        keys = paths.simple(given) if given else None
        leaf: Any = schema
        for key in keys or ():
            leaf = mapping(mapping(mapping(leaf).get("properties")).get(key))
        if not given:
            yield Cause(REQUIRED, "Required value", field)
        elif keys is None or keys[0] == "metadata":
            yield Cause(INVALID, f"Invalid value: {told(given)}: is an invalid path", field)
        elif leaf.get("type") not in ("boolean", "integer", "string"):
            why = f"Invalid value: {told(given)}: must point to a field of type string, boolean or integer"
            yield Cause(INVALID, why, field)
        elif given in seen:
            yield Cause(DUPLICATE, f"Duplicate value: {told(given)}", field)
        seen.add(given)
    if len(sequence(value)) > _MAX_SELECTABLE:
        yield Cause("FieldValueTooMany", f"Too many: must have at most {_MAX_SELECTABLE} items", path)


def _unchanged(obj: Object, old: Object) -> list[Cause]:
    body, before = spec(obj), spec(old)
    names, names_before = mapping(body.get("names")), mapping(before.get("names"))
    fixed = [("spec.group", body.get("group"), before.get("group")),
             ("spec.names.plural", names.get("plural"), names_before.get("plural"))]  # fmt: skip
    if established(old):
        fixed += [("spec.scope", body.get("scope"), before.get("scope")),
                  ("spec.names.kind", names.get("kind"), names_before.get("kind"))]  # fmt: skip
    return [Cause(INVALID, f"Invalid value: {told(new)}: field is immutable", f) for f, new, was in fixed if new != was]
