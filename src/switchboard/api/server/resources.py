"""Which resources are served: kinds of Kubernetes, kinds of CustomResourceDefinitions, and what has no storage.

In: the table of kinds and, at each call, the custom kinds.  Out: ``Resource`` facts by path.
Called by the router, discovery, OpenAPI and the reviews.
Specification: discovery documents of kube-apiserver 1.36.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from switchboard.k8s import kinds, names
from switchboard.k8s.kinds import Kind

OBJECT_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
STATUS_VERBS: Final = ("get", "patch", "update")
_STREAM: Final = ("create", "get")
_PROXY: Final = ("create", "delete", "get", "patch", "update")


class Subresource(msgspec.Struct, frozen=True):
    """A path below an object; ``group`` and ``version`` are empty when its kind is of the object's own group."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


class Resource(msgspec.Struct, frozen=True):
    """A kind with what may be done to it; ``custom`` says that a CustomResourceDefinition made it."""

    kind: Kind
    verbs: tuple[str, ...] = OBJECT_VERBS
    subresources: tuple[Subresource, ...] = ()
    custom: bool = False

    @property
    def stored(self) -> bool:
        """Whether there are objects of it (a review only gets an answer)."""
        return "get" in self.verbs

    def subresource(self, name: str) -> Subresource | None:
        """One of its subresources."""
        return next((s for s in self.subresources if s.name == name), None)


_OF_PODS: Final = (
    Subresource("attach", "PodAttachOptions", _STREAM),
    Subresource("binding", "Binding", ("create",)),
    Subresource("ephemeralcontainers", "Pod", STATUS_VERBS),
    Subresource("eviction", "Eviction", ("create",), names.POLICY, "v1"),
    Subresource("exec", "PodExecOptions", _STREAM),
    Subresource("log", "Pod", ("get",)),
    Subresource("portforward", "PodPortForwardOptions", _STREAM),
    Subresource("proxy", "PodProxyOptions", _PROXY),
    Subresource("resize", "Pod", STATUS_VERBS),
)
_MORE: Final[dict[str, tuple[Subresource, ...]]] = {
    "Pod": _OF_PODS,
    "Service": (Subresource("proxy", "ServiceProxyOptions", _PROXY),),
    "Node": (Subresource("proxy", "NodeProxyOptions", _PROXY),),
    "Namespace": (Subresource("finalize", "Namespace", ("update",)),),
    "ServiceAccount": (Subresource("token", "TokenRequest", ("create",), names.AUTHENTICATION, "v1"),),
}
_SCALE: Final = Subresource("scale", "Scale", STATUS_VERBS, names.AUTOSCALING, "v1")
_REVIEWS: Final = (
    (names.AUTHENTICATION, "TokenReview", False),
    (names.AUTHENTICATION, "SelfSubjectReview", False),
    (names.AUTHORIZATION, "LocalSubjectAccessReview", True),
    (names.AUTHORIZATION, "SelfSubjectAccessReview", False),
    (names.AUTHORIZATION, "SelfSubjectRulesReview", False),
    (names.AUTHORIZATION, "SubjectAccessReview", False),
)


def resource_of(kind: Kind, *, custom: bool = False) -> Resource:
    """The resource of a stored kind."""
    more = () if custom else _MORE.get(kind.kind, ())
    status = (Subresource("status", kind.kind, STATUS_VERBS),) if kind.status_subresource else ()
    scale = (_SCALE,) if kind.scale_subresource else ()
    verbs: tuple[str, ...] = OBJECT_VERBS
    if kind.kind == "Namespace" and not custom:
        verbs = tuple(v for v in OBJECT_VERBS if v != "deletecollection")
    found = sorted((*more, *status, *scale), key=lambda s: s.name)
    return Resource(kind, verbs, tuple(found), custom)


def _without_storage() -> Iterator[Resource]:
    core = Kind(group=names.CORE, version="v1", kind="Binding", plural="bindings", singular="binding")
    yield Resource(core, ("create",))
    for group, name, namespaced in _REVIEWS:
        low = name.lower()
        plural = f"{low}s"
        yield Resource(
            Kind(group=group, version="v1", kind=name, plural=plural, singular=low, namespaced=namespaced), ("create",)
        )


BUILT_IN: Final[tuple[Resource, ...]] = (*(resource_of(k) for k in kinds.KINDS), *_without_storage())

BUILT_IN_GROUPS: Final = frozenset(resource.kind.group for resource in BUILT_IN)


class Resources:
    """What is served now.

    Args:
        custom: kinds of the CustomResourceDefinitions that are established, asked at each use.
    """

    def __init__(self, custom: Callable[[], Iterable[Kind]] = tuple) -> None:
        self._custom = custom
        self._built_in = {(r.kind.group, r.kind.version, r.kind.plural): r for r in BUILT_IN}

    def __iter__(self) -> Iterator[Resource]:
        yield from BUILT_IN
        for kind in self._custom():
            yield resource_of(kind, custom=True)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource at a path, None when nothing is served there."""
        found = self._built_in.get((group, version, plural))
        if found:
            return found
        wanted = (group, version, plural)
        return next(
            (resource_of(k, custom=True) for k in self._custom() if (k.group, k.version, k.plural) == wanted), None
        )

    def groups(self) -> dict[str, dict[str, list[Resource]]]:
        """Resources by group and version, the preferred version of a group first."""
        found: dict[str, dict[str, list[Resource]]] = {}
        for resource in self:
            versions = found.setdefault(resource.kind.group, {})
            versions.setdefault(resource.kind.version, []).append(resource)
        return found
