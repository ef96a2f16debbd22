"""What merging needs to know of a value: is it one value, a mapping of parts, a set, or a list of mappings with keys.

In: the schema of a built-in kind, or the structural schema of a custom resource.  Out: a ``Type`` for each value.
Called by ``managed`` and ``managed_walk``.
Specification: https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
"""

from __future__ import annotations

import functools
from typing import Any, Final

import msgspec

from switchboard.k8s import schemas
from switchboard.k8s.schemas import Schema

SCALAR, MAP, LIST, ANY = "scalar", "map", "list", "any"
_SCALARS: Final = {"string": "string", "boolean": "boolean", "integer": "numeric", "number": "numeric"}
_OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
# What lets a custom resource's mapping have members that its schema does not name.
_OPEN: Final = ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")
# Keys that have a default, which the schemas mention in prose only.
_KEY_DEFAULTS: Final = {"protocol": "TCP"}
# Members that Kubernetes' own types always have, if only empty; they come into being with what they are part of.
_ALWAYS: Final = frozenset(
    {
        "metadata", "spec", "status", "template", "jobTemplate", "strategy", "updateStrategy", "resources",
        "loadBalancer", "names", "acceptedNames", "nodeInfo", "daemonEndpoints", "kubeletEndpoint", "source",
    }
)  # fmt: skip
_ALWAYS_LISTS: Final = frozenset({"containers"})
_POINTERS: Final = frozenset(
    {("PodSpec", "resources"), ("ReplicationControllerSpec", "template"), ("PersistentVolumeClaimTemplate", "metadata")}
)


class Type(msgspec.Struct, frozen=True):
    """How one value merges.

    ``form`` is scalar, map, list, or any (what the value itself is); ``scalar`` what a scalar must be, empty for any;
    ``atomic`` whether it has one owner as a whole; ``keys`` tell the items of a list apart, none in a set;
    ``always`` whether the member exists wherever its parent does.
    """

    form: str
    schema: Schema
    name: str = ""
    built_in: bool = True
    scalar: str = ""
    atomic: bool = False
    keys: tuple[str, ...] = ()
    always: bool = False
    known: dict[str, Type | None] = {}

    def declared(self, name: str) -> bool:
        """Whether a mapping has this member by name, not as one of any name."""
        return self.form == MAP and name in self.schema.get("properties", ())

    def member(self, name: str) -> Type | None:
        """The type of a mapping's member, None for one that the schema does not know."""
        if self.form == ANY:
            return self
        if name not in self.known:
            self.known[name] = self._member(name)
        return self.known[name]

    def items(self) -> Type:
        """The type of a list's items."""
        if self.form == ANY:
            return self
        found = self.known.get("")
        if found is None:
            found = self.known[""] = _type(self.schema.get("items") or {}, self.built_in)
        return found

    def key_default(self, key: str) -> Any:
        """What an item's key is when it is left out; None when there is no default."""
        if self.built_in:
            return _KEY_DEFAULTS.get(key)
        item = self.schema.get("items") or {}
        return ((item.get("properties") or {}).get(key) or {}).get("default")

    def _member(self, name: str) -> Type | None:
        schema = (self.schema.get("properties") or {}).get(name)
        if schema is not None:
            found = _type(schema, self.built_in)
            return msgspec.structs.replace(found, always=True) if _always(self, name, found) else found
        additional = self.schema.get("additionalProperties")
        if isinstance(additional, dict):
            return _type(additional, self.built_in)
        if additional is True or any(self.schema.get(mark) for mark in _OPEN):
            return _any(self.built_in)
        return None


def built_in(api_version: str, kind: str) -> Type | None:
    """The type of a kind that Kubernetes itself serves, None for another."""
    schema = schemas.schema_of(api_version, kind)
    return None if schema is None else _root(api_version, kind)


def custom(schema: Schema | None) -> Type:
    """The type of a custom resource by its structural schema; without one its parts merge by what they are."""
    own = schema or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    text = {"type": "string"}
    properties = {**(own.get("properties") or {}), "apiVersion": text, "kind": text}
    # Its metadata is Kubernetes' own, whatever the schema says of it.
    root = _type({**own, "type": "object", "properties": properties}, False)
    root.known["metadata"] = _type(schemas.definitions()[_OBJECT_META], True)
    properties["metadata"] = {"type": "object"}
    return root


@functools.cache
def _root(api_version: str, kind: str) -> Type:
    return _type(schemas.known()[api_version, kind], True)


def _any(is_built_in: bool) -> Type:
    return Type(form=ANY, schema={}, built_in=is_built_in, atomic=is_built_in)


def _type(schema: Schema, is_built_in: bool) -> Type:
    name = schema.get("$ref", "").rpartition(".")[2]
    found = schemas.resolve(schema) if is_built_in else schema
    if "oneOf" in found or found.get("x-kubernetes-int-or-string"):
        return Type(form=SCALAR, schema=found, built_in=is_built_in)
    form = _json_type(found)
    if form in _SCALARS:
        return Type(form=SCALAR, schema=found, built_in=is_built_in, scalar=_SCALARS[form])
    if form == "array":
        atomic, keys = _relation(schema)
        return Type(form=LIST, schema=found, built_in=is_built_in, atomic=atomic, keys=keys)
    typed = found.get("properties") or isinstance(found.get("additionalProperties"), dict)
    if form == "object" and (typed or found.get("additionalProperties") is False):
        atomic = "atomic" in (schema.get("x-kubernetes-map-type"), found.get("x-kubernetes-map-type"))
        return Type(form=MAP, schema=found, name=name, built_in=is_built_in, atomic=atomic)
    if not is_built_in and form == "object" and not any(found.get(mark) for mark in _OPEN):
        return Type(form=MAP, schema=found, built_in=False)
    if found.get("x-kubernetes-map-type") == "atomic":
        return Type(form=MAP, schema=found, built_in=is_built_in, atomic=True)
    return _any(is_built_in)


def _json_type(schema: Schema) -> str:
    types = schema.get("type", "")
    if isinstance(types, str):
        return types
    return next((t for t in types if t != "null"), "")


def _relation(schema: Schema) -> tuple[bool, tuple[str, ...]]:
    """Whether a list is one value, and by which keys its items are told apart."""
    listed = schema.get("x-kubernetes-list-type")
    if listed == "map":
        return False, tuple(schema.get("x-kubernetes-list-map-keys") or ())
    if listed is None and "merge" in schema.get("x-kubernetes-patch-strategy", "").split(","):
        key = schema.get("x-kubernetes-patch-merge-key")
        return False, (key,) if key else ()
    return listed != "set", ()


def _always(parent: Type, name: str, found: Type) -> bool:
    if not parent.built_in or (parent.name, name) in _POINTERS:
        return False
    return (found.form == MAP and name in _ALWAYS) or (found.form == LIST and name in _ALWAYS_LISTS)
