"""Admission of custom resources and of their definitions, around the admission of everything else.

In: objects on their way into the store.  Out: the same completed, or an ``ApiError``.
Constructed by the composition root: ``CustomResources(KubernetesAdmission(...))``.
Specification: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

from collections.abc import Callable

from switchboard.api import errors
from switchboard.api.admission import check_namespace
from switchboard.api.crds import definition
from switchboard.api.crds.custom import CustomKind
from switchboard.api.errors import Cause, Invalid
from switchboard.api.store import STATUS, Admission, Store
from switchboard.base.findings import Severity
from switchboard.k8s import objects
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object
from switchboard.k8s.validation import validate


class CustomResources:
    """Decides on custom kinds and completes definitions; everything else is up to ``inner``."""

    def __init__(self, inner: Admission) -> None:
        self._inner = inner

    def start(self, store: Store) -> None:
        """What every cluster has."""
        self._inner.start(store)

    def create(self, store: Store, kind: Kind, obj: Object) -> None:
        """Complete and check a new object."""
        if isinstance(kind, CustomKind):
            check_namespace(store, kind, obj)
            _complete(kind, obj)
            _check(kind, obj, None, "")
        elif kind.kind == definition.KIND:
            definition.default(obj)
            causes = self._generic(lambda: self._inner.create(store, kind, obj))
            definition.begin_status(obj)
            _refuse(kind, obj, [*causes, *definition.validate(obj)])
        else:
            self._inner.create(store, kind, obj)

    def update(self, store: Store, kind: Kind, new: Object, old: Object, subresource: str) -> None:
        """Complete and check a changed object."""
        if isinstance(kind, CustomKind):
            _complete(kind, new)
            _check(kind, new, old, subresource)
        elif kind.kind == definition.KIND and subresource != STATUS:
            definition.default(new)
            definition.keep_stored_versions(new, old)
            causes = self._generic(lambda: self._inner.update(store, kind, new, old, subresource))
            _refuse(kind, new, [*causes, *definition.validate(new, old)])
        else:
            self._inner.update(store, kind, new, old, subresource)

    def deleted(self, store: Store, kind: Kind, old: Object) -> None:
        """Release what belonged to an object."""
        if not kind.custom:
            self._inner.deleted(store, kind, old)

    def _generic(self, admit: Callable[[], None]) -> list[Cause]:
        """What is wrong with a definition's metadata; the rest is known better here."""
        try:
            admit()
        except Invalid as error:
            return [cause for cause in error.causes if cause.field.startswith("metadata")]
        return []


def _complete(kind: CustomKind, obj: Object) -> None:
    kind.prune(obj)
    kind.default(obj)


def _check(kind: CustomKind, obj: Object, old: Object | None, subresource: str) -> None:
    found = [f for f in validate(obj, old) if f.severity is Severity.ERROR]
    _refuse(kind, obj, [*errors.causes_of(found), *kind.validate(obj, old, subresource=subresource)])


def _refuse(kind: Kind, obj: Object, causes: list[Cause]) -> None:
    if causes:
        raise errors.invalid(kind, objects.name(obj), causes)
