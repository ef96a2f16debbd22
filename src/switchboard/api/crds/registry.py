"""The custom kinds that are served: from the stored CustomResourceDefinitions to kinds.

In: stored definitions, asked at each use and read again where they changed.  Out: ``CustomKind`` facts.
Held by ``Store`` as ``store.custom``; asked by the store, admission, and the server's resources and discovery.

    registry.kinds()                            every served version, the preferred ones first
    registry.find(group, version, plural)       by path
    registry.kind_of(api_version, kind)         by what an object says of itself
    registry.named(key)                         by the key of the storage, at the stored version
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from switchboard.api.crds import paths
from switchboard.api.crds.columns import columns_of
from switchboard.api.crds.custom import CustomKind, Scale
from switchboard.api.crds.definition import established
from switchboard.api.crds.shaping import PRESERVE
from switchboard.api.storage import Record
from switchboard.k8s.objects import Object, mapping, sequence, spec, text

_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")


class Registry:
    """Custom kinds of one store; ``definitions`` answers the stored definitions."""

    def __init__(self, definitions: Callable[[], Iterable[Record]]) -> None:
        self._definitions = definitions
        self._by_definition: dict[str, tuple[int, tuple[CustomKind, ...]]] = {}
        self._stamp: tuple[tuple[str, int], ...] = ()
        self._kinds: tuple[CustomKind, ...] = ()
        self._paths: dict[tuple[str, str, str], CustomKind] = {}
        self._objects: dict[tuple[str, str], CustomKind] = {}
        self._keys: dict[str, CustomKind] = {}

    def kinds(self) -> tuple[CustomKind, ...]:
        """Every served version of every established definition, preferred versions first."""
        records = list(self._definitions())
        stamp = tuple((r.name, r.revision) for r in records)
        if stamp != self._stamp:
            self._read(records)
            self._stamp = stamp
        return self._kinds

    def find(self, group: str, version: str, plural: str) -> CustomKind | None:
        """The kind at a path, None when nothing is served there."""
        self.kinds()
        return self._paths.get((group, version, plural))

    def kind_of(self, api_version: str, kind: str) -> CustomKind | None:
        """The kind of an object, None for one that is not served."""
        self.kinds()
        return self._objects.get((api_version, kind))

    def named(self, key: str) -> CustomKind | None:
        """The kind of a storage key at the stored version, or at another served one."""
        self.kinds()
        return self._keys.get(key)

    def _read(self, records: list[Record]) -> None:
        read: dict[str, tuple[int, tuple[CustomKind, ...]]] = {}
        for record in records:
            before = self._by_definition.get(record.name)
            unchanged = before is not None and before[0] == record.revision
            read[record.name] = before if unchanged and before else (record.revision, kinds_of(record.object))
        self._by_definition = read
        self._kinds = tuple(kind for _, kinds in read.values() for kind in kinds)
        self._paths = {(k.group, k.version, k.plural): k for k in self._kinds}
        self._objects = {(k.api_version, k.kind): k for k in self._kinds}
        self._keys = {}
        for kind in self._kinds:
            if kind.version == kind.stored or kind.key not in self._keys:
                self._keys[kind.key] = kind


def kinds_of(definition: Object) -> tuple[CustomKind, ...]:
    """The served versions of a definition, the preferred one first; none while it is not established."""
    if not established(definition):
        return ()
    versions = [v for v in sequence(spec(definition).get("versions")) if isinstance(v, dict)]
    stored = next((v for v in versions if v.get("storage")), {})
    served = sorted((v for v in versions if v.get("served")), key=lambda v: _rank(text(v.get("name"))))
    return tuple(_kind(definition, v, stored, preferred=v is served[0]) for v in served)


def _rank(name: str) -> tuple[Any, ...]:
    """Stable versions first, then beta, alpha, and names of no known form; within them the highest number."""
    found = _VERSION.fullmatch(name)
    if found is None:
        return (3, 0, 0, name)
    major, stage, minor = found.groups()
    return ({None: 0, "beta": 1, "alpha": 2}[stage], -int(major), -int(minor or 0), name)


def _kind(definition: Object, version: dict[str, Any], stored: dict[str, Any], *, preferred: bool) -> CustomKind:
    body = spec(definition)
    names, below = mapping(body.get("names")), mapping(version.get("subresources"))
    group, name = body["group"], version["name"]
    api_version = f"{group}/{name}"
    warning = version.get("deprecationWarning") or f"{api_version} {names['kind']} is deprecated"
    selectable = (paths.simple(text(mapping(f).get("jsonPath"))) for f in sequence(version.get("selectableFields")))
    scale = below.get("scale")
    return CustomKind(
        group=group,
        version=name,
        kind=names["kind"],
        plural=names["plural"],
        singular=names.get("singular") or names["kind"].lower(),
        short_names=tuple(sequence(names.get("shortNames"))),
        namespaced=body.get("scope") == "Namespaced",
        categories=tuple(sequence(names.get("categories"))),
        status_subresource="status" in below,
        scale_subresource=isinstance(scale, dict),
        preferred=preferred,
        definition=text(mapping(definition.get("metadata")).get("name")),
        list_kind=names.get("listKind") or f"{names['kind']}List",
        stored=text(stored.get("name")) or name,
        columns=columns_of(version),
        scale=_scale(scale) if isinstance(scale, dict) else None,
        selectable=tuple(keys for keys in selectable if keys),
        warning=warning if version.get("deprecated") else "",
        schema=_schema(version),
        stored_schema=_schema(stored),
    )


def _schema(version: dict[str, Any]) -> dict[str, Any]:
    return mapping(mapping(version.get("schema")).get("openAPIV3Schema")) or {"type": "object", PRESERVE: True}


def _scale(scale: dict[str, Any]) -> Scale:
    def keys(name: str) -> tuple[str, ...]:
        return paths.simple(text(scale.get(name))) or ()

    return Scale(keys("specReplicasPath"), keys("statusReplicasPath"), keys("labelSelectorPath"))
