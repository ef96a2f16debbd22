"""What controllers see of the cluster: objects by key, by owner, by label and by indexes of their own.

In: objects as the loop receives them from the store's events.  Out: lookups that cost what they return.
``Cache`` belongs to the loop, which keeps it current; a ``Snapshot`` is one controller's view of it,
valid during one reconcile, refusing kinds that the controller did not declare.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from switchboard.api import selectors
from switchboard.k8s import objects
from switchboard.k8s.objects import Object

Key = tuple[str, str]
ObjectKey = tuple[str, str, str]


class Index(NamedTuple):
    """A lookup over objects of one kind: ``values`` gives the values under which an object is found.

    Indexes of equal name and kind are one; ``values`` may look at nothing but the object.
    """

    name: str
    kind: str
    values: Callable[[Object], Iterable[Hashable]]


class UndeclaredKindError(LookupError):
    """A controller reads or writes a kind that it did not declare."""


def _namespaces(obj: Object) -> Iterable[Hashable]:
    return (objects.namespace(obj),)


def _owner_uids(obj: Object) -> Iterable[Hashable]:
    return [str(owner.get("uid")) for owner in objects.owners(obj)]


def _labels(obj: Object) -> Iterable[Hashable]:
    space = objects.namespace(obj)
    return [(space, k, v) for k, v in objects.labels(obj).items()]


class Cache:
    """All objects that the loop knows, decoded once for all controllers, with indexes built when first asked for."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[Key, Object]] = {}
        self._indexes: dict[tuple[str, str], tuple[Index, dict[Hashable, dict[Key, Object]]]] = {}
        self._by_kind: dict[str, list[tuple[Index, dict[Hashable, dict[Key, Object]]]]] = {}

    def objects(self, kind: str) -> dict[Key, Object]:
        """The objects of a kind by key; not to be changed by callers."""
        return self._objects.setdefault(kind, {})

    def put(self, kind: str, key: Key, obj: Object) -> None:
        """Add or replace one object."""
        self.remove(kind, key)
        self.objects(kind)[key] = obj
        for index, found in self._by_kind.get(kind, ()):
            for value in index.values(obj):
                found.setdefault(value, {})[key] = obj

    def remove(self, kind: str, key: Key) -> None:
        """Forget one object, if it is known."""
        old = self.objects(kind).pop(key, None)
        if old is None:
            return
        for index, found in self._by_kind.get(kind, ()):
            for value in index.values(old):
                entries = found.get(value)
                if entries is not None:
                    entries.pop(key, None)
                    if not entries:
                        del found[value]

    def index(self, index: Index) -> Mapping[Hashable, Mapping[Key, Object]]:
        """Objects by the values of an index; kept current from the first call on."""
        known = self._indexes.get((index.name, index.kind))
        if known is None:
            found: dict[Hashable, dict[Key, Object]] = {}
            for key, obj in self.objects(index.kind).items():
                for value in index.values(obj):
                    found.setdefault(value, {})[key] = obj
            known = self._indexes[(index.name, index.kind)] = (index, found)
            self._by_kind.setdefault(index.kind, []).append(known)
        return known[1]


class Snapshot:
    """One controller's view of the cluster.

    Args:
        cache: all objects.
        reads: the kinds that may be asked for.
        changed: what changed since this controller last ran, None for "look at everything";
            each key maps to the object as it was before, None when it was not there.
        settings: configuration by name (``load-balancer-pool``), given to the loop at its start.
    """

    def __init__(
        self,
        cache: Cache,
        reads: frozenset[str],
        changed: Mapping[ObjectKey, Object | None] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._cache = cache
        self._reads = reads
        self._before = changed
        self.changed: frozenset[ObjectKey] | None = None if changed is None else frozenset(changed)
        self.settings: Mapping[str, Any] = MappingProxyType(dict(settings or {}))

    def all(self, kind: str) -> Mapping[Key, Object]:
        """The objects of a kind by (namespace, name); the namespace is empty for cluster-scoped kinds."""
        self._declared(kind)
        return MappingProxyType(self._cache.objects(kind))

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object, None when it is not there."""
        self._declared(kind)
        return self._cache.objects(kind).get((namespace, name))

    def before(self, kind: str, namespace: str, name: str) -> Object | None:
        """A changed object as it was when this controller last ran; None when it was not there or has not changed."""
        self._declared(kind)
        return (self._before or {}).get((kind, namespace, name))

    def in_namespace(self, kind: str, namespace: str) -> list[Object]:
        """The objects of a namespace, ordered by name."""
        return self.indexed(Index("namespace", kind, _namespaces), namespace)

    def owned(self, kind: str, owner_uid: str) -> list[Object]:
        """The objects that name an owner of this uid, ordered by key."""
        return self.indexed(Index("owner", kind, _owner_uids), owner_uid)

    def indexed(self, index: Index, value: Hashable) -> list[Object]:
        """The objects that an index has under a value, ordered by key."""
        self._declared(index.kind)
        found = self._cache.index(index).get(value, {})
        return [found[key] for key in sorted(found)]

    def select(self, kind: str, namespace: str, selector: selectors.Selector | None) -> list[Object]:
        """The objects of a namespace whose labels a selector matches, ordered by name; None selects nothing."""
        if selector is None:
            return []
        self._declared(kind)
        wanted = [r for r in selector if r.operator == "In" and len(r.values) == 1]
        if not wanted:
            candidates = self.in_namespace(kind, namespace)
        else:
            index = self._cache.index(Index("label", kind, _labels))
            sets = [index.get((namespace, r.key, next(iter(r.values))), {}) for r in wanted]
            smallest = min(sets, key=len)
            candidates = [smallest[key] for key in sorted(smallest)]
        return [obj for obj in candidates if selectors.matches(selector, objects.labels(obj))]

    def _declared(self, kind: str) -> None:
        if kind not in self._reads:
            raise UndeclaredKindError(f"{kind} is not among the kinds that this controller reads")
