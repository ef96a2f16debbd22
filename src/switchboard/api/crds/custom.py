"""A custom kind at one version: what the API server needs to serve its objects as it serves its own kinds.

In: objects of the kind.  Out: the same completed, checked, converted; every refusal is an ``ApiError``.
Made by ``registry``; used wherever a ``Kind`` is, by ``store``, ``admission`` and the server.
Specification: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

from typing import Any

import msgspec

from switchboard.api.crds import check, paths, rules, shaping
from switchboard.api.crds.columns import Column
from switchboard.api.crds.shaping import Schema
from switchboard.api.errors import Cause
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object, api_version, copied, whole


class Scale(msgspec.Struct, frozen=True):
    """Where a scale subresource finds its numbers; the selector's path is empty when there is none."""

    replicas: tuple[str, ...]
    observed: tuple[str, ...]
    selector: tuple[str, ...] = ()


class CustomKind(Kind, frozen=True, kw_only=True, eq=False):
    """A kind of a CustomResourceDefinition.

    ``definition`` is the definition's name, ``stored`` the version that lies in the store,
    ``schema`` belongs to this version and ``stored_schema`` to the stored one.
    """

    custom: bool = True
    definition: str
    list_kind: str
    stored: str
    schema: Schema
    stored_schema: Schema
    columns: tuple[Column, ...] = ()
    scale: Scale | None = None
    selectable: tuple[tuple[str, ...], ...] = ()
    warning: str = ""

    def prune(self, obj: Object) -> list[str]:
        """Take unknown fields out in place and make 5.0 a 5; answers the paths of what was taken out."""
        for key, value in obj.items():
            obj[key] = shaping.whole_numbers(value)
        return shaping.prune(self.schema, obj)

    def default(self, obj: Object) -> None:
        """Fill in defaults in place, and drop nulls where none may be."""
        shaping.default(self.schema, obj)
        shaping.drop_nulls(self.schema, obj)

    def validate(self, obj: Object, old: Object | None = None, *, subresource: str = "") -> list[Cause]:
        """Causes against an object at this version; what an update leaves as it was is accepted.

        Rules in CEL are asked when the values are of the right types. Metadata is checked elsewhere.
        """
        before = self.read(old) if old is not None else None
        found = check.check(self.schema, obj) if before is None else check.check(self.schema, obj, "", before)
        if subresource == "status":
            found = [c for c in found if c.field.split(".")[0] in ("status", check.NOWHERE)]
        if not found:
            found = rules.check(self.schema, obj, rules.MISSING if before is None else before)
        return found

    def read(self, obj: Object) -> Object:
        """A stored object at this version: a new object, unless it is at this version already."""
        if api_version(obj) == self.api_version:
            return obj
        found: Object = copied(obj)
        found["apiVersion"] = self.api_version
        shaping.prune(self.schema, found)
        self.default(found)
        return found

    def store(self, obj: Object) -> Object:
        """An object of this version as it is stored."""
        if self.version == self.stored:
            return obj
        found: Object = copied(obj)
        found["apiVersion"] = f"{self.group}/{self.stored}"
        shaping.prune(self.stored_schema, found)
        return found

    def scaled(self, obj: Object) -> tuple[int, int, str]:
        """Wanted and observed replicas and the selector of an object with a scale subresource."""
        assert self.scale is not None
        selector = paths.get(self.scale.selector, obj) if self.scale.selector else ""
        wanted, observed = (whole(paths.get(p, obj)) for p in (self.scale.replicas, self.scale.observed))
        return wanted, observed, selector if isinstance(selector, str) else ""

    def with_replicas(self, obj: Object, replicas: int) -> Object:
        """A new object with other wanted replicas."""
        assert self.scale is not None
        found: Any = copied(obj)
        paths.put(self.scale.replicas, found, replicas)
        return found  # type: ignore[no-any-return]

    @property
    def offered_fields(self) -> frozenset[str]:
        """What field selectors may ask for beside the names: ``spec.color``."""
        return frozenset(".".join(keys) for keys in self.selectable)
