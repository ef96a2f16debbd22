"""The object store shaped like the Kubernetes API: get, list, create, update, delete, watch.

In: objects as dictionaries, which are never changed in place.  Out: fresh dictionaries, or an ``ApiError``.
Called by the controller loop, by ``up -f``, by the view's feed and later by the HTTP server, all on one thread.
What an object must look like (defaults, allocation, validation) is the business of its ``Admission``.
Specification: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from switchboard.api import errors, selectors
from switchboard.api.crds.custom import CustomKind
from switchboard.api.crds.registry import Registry
from switchboard.api.metadata import (
    bump_generation,
    check_update,
    clone,
    labels_of,
    mark_deleted,
    ordered,
    prepare_create,
    prepare_update,
    require_name,
)
from switchboard.api.parts import BINDING as BINDING
from switchboard.api.parts import EPHEMERAL_CONTAINERS as EPHEMERAL_CONTAINERS
from switchboard.api.parts import FINALIZE as FINALIZE
from switchboard.api.parts import RESIZE as RESIZE
from switchboard.api.parts import STATUS as STATUS
from switchboard.api.parts import select
from switchboard.api.storage import Event, MemoryStorage, Record, Storage
from switchboard.k8s import kinds, names
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import (
    Object,
    api_version,
    deleting,
    finalizers,
    metadata,
    sequence,
    spec,
    status,
    text,
    uid,
)

# Named here because the method ``list`` hides the builtin within the class.
Objects = list[Object]
Events = list[Event]
DEFAULT_GRACE_PERIOD = 30


class Admission(Protocol):
    """What the API server does with an object between decoding and storing; it may change the object in place.

    Each call happens within the transaction of the write, so that what it stores beside the object
    (an IPAddress) is undone when a later step raises.
    """

    def start(self, store: Store) -> None:
        """Make the objects that every cluster has."""

    def create(self, store: Store, kind: Kind, obj: Object) -> None:
        """Default, allocate for and validate a new object."""

    def update(self, store: Store, kind: Kind, new: Object, old: Object, subresource: str) -> None:
        """Default, allocate for and validate a changed object."""

    def deleted(self, store: Store, kind: Kind, old: Object) -> None:
        """Release what belonged to an object that is gone."""


class AdmitEverything:
    """No defaults and no rules; for tests of what stands above the store."""

    def start(self, store: Store) -> None:
        """An empty cluster."""

    def create(self, store: Store, kind: Kind, obj: Object) -> None:
        """Accept."""

    def update(self, store: Store, kind: Kind, new: Object, old: Object, subresource: str) -> None:
        """Accept."""

    def deleted(self, store: Store, kind: Kind, old: Object) -> None:
        """Nothing to release."""


# Later entries win: preferred versions over older ones, the core group over others of the same name.
_BY_NAME = {k.kind: k for k in sorted(kinds.KINDS, key=lambda k: (k.preferred, not k.group))}


def kind_named(kind: str) -> Kind:
    """The kind of a plain name, core and preferred versions first; raises ``NotFound`` for one we do not serve."""
    if kind not in _BY_NAME:
        raise errors.NotFound("the server could not find the requested resource", resource=kind)
    return _BY_NAME[kind]


def kind_of(obj: Object) -> Kind:
    """The kind of an object; raises ``NotFound`` for an apiVersion and kind that we do not serve."""
    found = kinds.kind_of(api_version(obj), text(obj.get("kind")))
    if found is None:
        raise errors.NotFound(
            f'no matches for kind "{obj.get("kind")}" in version "{obj.get("apiVersion")}"',
            resource=text(obj.get("kind")),
        )
    return found


class Store:
    """Objects of one cluster.

    Args:
        clock: the current time, timezone-aware and in UTC.
        uid: a new universally unique identifier at each call.
        randrange: a number from 0 up to (not including) its argument, for generated names and dynamic allocation.
        admission: defaults, allocation and validation; without one every JSON object of a known kind is accepted.
        storage: where the bytes lie; in memory when not given.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        uid: Callable[[], str],
        randrange: Callable[[int], int],
        admission: Admission | None = None,
        storage: Storage | None = None,
    ) -> None:
        self.clock = clock
        self.randrange = randrange
        self._uid = uid
        self._admission: Admission = admission or AdmitEverything()
        self._storage: Storage = storage or MemoryStorage()
        self.custom = Registry(lambda: self._storage.scan("CustomResourceDefinition"))
        self.dry_run = False
        # What admission has to say about writes beside refusing them; who answers a request takes and empties it.
        self.warnings: deque[str] = deque(maxlen=100)
        self._admission.start(self)

    # Kinds

    def kind_of(self, obj: Object) -> Kind:
        """The kind of an object, built in or custom; raises ``NotFound`` for one that we do not serve."""
        return self.custom.kind_of(api_version(obj), text(obj.get("kind"))) or kind_of(obj)

    def kind_named(self, key: str) -> Kind:
        """The kind of a storage key (``Kind.key``); raises ``NotFound`` for one that we do not serve."""
        return self.custom.named(key) or kind_named(key)

    # Reading

    @property
    def resource_version(self) -> int:
        """The version of the whole store, which is that of its latest change."""
        return self._storage.revision

    @property
    def settled_version(self) -> int:
        """The version up to which ``events`` tells everything: who has read them goes on from here.

        With a storage on a disk the latest writes are not told before they are durable.
        """
        return self._storage.settled

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object, None when it is not there; ``namespace`` is empty for cluster-scoped kinds."""
        record = self._storage.get(kind, namespace, name)
        return record.object if record else None

    def get(self, kind: str, namespace: str, name: str) -> Object:
        """One object; raises ``NotFound``."""
        found = self.find(kind, namespace, name)
        if found is None:
            raise errors.not_found(self.kind_named(kind), name)
        return found

    def records(
        self,
        kind: str,
        namespace: str | None = None,
        label_selector: selectors.Selector = (),
        field_selector: selectors.FieldSelector = (),
    ) -> Iterator[Record]:
        """Stored records that fulfil both selectors, ordered by namespace and name, not decoded where avoidable."""
        for record in self._storage.scan(kind, namespace):
            if label_selector and not selectors.matches(label_selector, record.labels):
                continue
            if field_selector and not selectors.matches_fields(field_selector, record.object):
                continue
            yield record

    def list(
        self,
        kind: str,
        namespace: str | None = None,
        label_selector: str | selectors.Selector = (),
        field_selector: str | selectors.FieldSelector = (),
        resource_version: str | int | None = None,
    ) -> tuple[Objects, int]:
        """Objects of a kind and the version at which they are listed.

        ``resource_version`` is the oldest acceptable version; raises ``ServerTimeout`` for one of the future.
        """
        if resource_version is not None:
            self._not_newer_than(resource_version)
        labels = selectors.parse(label_selector) if isinstance(label_selector, str) else label_selector
        fields = selectors.parse_fields(field_selector, kind) if isinstance(field_selector, str) else field_selector
        found = [record.object for record in self.records(kind, namespace, labels, fields)]
        return found, self._storage.revision

    def events(self, since: int, kinds: Collection[str] | None = None) -> Events:
        """Changes after a version, in order; raises ``Expired`` for versions that the log has forgotten."""
        return self._storage.events(since, kinds)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after every final change, without argument; the answer unsubscribes."""
        return self._storage.subscribe(callback)

    async def flush(self, resource_version: int | None = None) -> None:
        """Return when a version (all up to now, when not given) survives a crash: what is answered must be durable.

        Call it before any answer over the network, reads included; without storage on a disk it returns at once.
        Raises ``InternalError`` when the storage had to withdraw it.
        """
        await self._storage.flush(resource_version)

    # Writing

    @contextmanager
    def transaction(self, *, dry_run: bool = False) -> Iterator[None]:
        """All writes of the block become visible to watchers at its end, or none when an exception leaves it.

        ``dry_run`` undoes them in any case: the answers of the calls within are what would have happened.
        """
        outer = self.dry_run
        try:
            with self._storage.transaction():
                self.dry_run = outer or dry_run
                yield
                if dry_run:
                    raise _Undo
        except _Undo:
            pass
        finally:
            self.dry_run = outer

    def create(self, obj: Object) -> Object:
        """Store a new object and answer it as stored; raises any ``ApiError``."""
        kind, new = self.kind_of(obj), clone(obj)
        prepare_create(kind, new, self.clock(), self._uid(), self.randrange)
        self._check_scope(kind, new)
        if kind.status_subresource:
            new.pop("status", None)
        meta = metadata(new)
        name, namespace = text(meta.get("name")), text(meta.get("namespace"))
        with self._storage.transaction():
            self._admission.create(self, kind, new)
            require_name(kind, new)
            if self._storage.get(kind.key, namespace, name):
                raise errors.already_exists(kind, name)
            return self._write(kind, new)

    def update(self, obj: Object, *, subresource: str = "", create: bool = False) -> Object:
        """Replace an object and answer it as stored; a state equal to the stored one is no change.

        The main endpoint ("") ignores ``status``, the subresource ``status`` everything but metadata and status,
        ``finalize`` everything but a Namespace's ``spec.finalizers``,
        ``binding`` everything but a Pod's ``spec.nodeName`` and status.
        With ``create`` an object that is not there is created, as PUT does where Kubernetes allows it.
        """
        kind, sent = self.kind_of(obj), clone(obj)
        self._check_scope(kind, sent)
        require_name(kind, sent)
        meta = metadata(sent)
        name, namespace = text(meta.get("name")), text(meta.get("namespace"))
        with self._storage.transaction():
            old = self.find(kind.key, namespace, name)
            if old is not None and isinstance(kind, CustomKind):
                old = kind.read(old)
            if old is None and create and not subresource:
                return self.create(sent)
            if old is None:
                raise errors.not_found(kind, name)
            check_update(kind, sent, old)
            new = select(kind, sent, old, subresource)
            prepare_update(kind, new, old)
            self._admission.update(self, kind, new, old, subresource)
            if not subresource:
                bump_generation(kind, new, old)
            if ordered(kind, new) == ordered(kind, old):
                return old
            if deleting(new) and _unheld(kind, new):
                return self._remove(kind, new, old)
            return self._write(kind, new)

    def update_status(self, obj: Object) -> Object:
        """Replace the status of an object; see ``update``."""
        return self.update(obj, subresource=STATUS)

    def delete(
        self,
        kind: str,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        resource_version: str = "",
        propagation_policy: str = "Background",
        grace_period_seconds: int | None = None,
    ) -> Object:
        """Delete an object, or mark it when finalizers or a grace period hold it; answers the object's last state.

        ``uid`` and ``resource_version`` are preconditions (``Conflict``).
        A scheduled Pod stays for its grace period: who runs it deletes it again with ``grace_period_seconds=0``.
        """
        found = self.kind_named(kind)
        with self._storage.transaction():
            old = self.get(kind, namespace, name)
            _check_preconditions(found, old, uid, resource_version)
            new = clone(old)
            grace = _grace_period(found, old, grace_period_seconds)
            _hold_for_dependents(new, propagation_policy)
            if not grace:
                new["metadata"].pop("deletionGracePeriodSeconds", None)
            if _unheld(found, new) and not grace:
                if found.kind == "Pod":
                    mark_deleted(found, new, self.clock(), 0)
                return self._remove(found, new, old)
            if deleting(old) and not _shorter(old, grace):
                return old
            self._mark(found, new, grace)
            return self._write(found, new)

    def purge(self, key: str) -> None:
        """Remove all objects of a kind that is not served any more, whatever holds them."""
        with self._storage.transaction():
            for record in list(self._storage.scan(key)):
                last = record.object
                last["metadata"]["resourceVersion"] = str(self._storage.revision + 1)
                self._storage.remove(key, record.namespace, record.name, msgspec.json.encode(last))

    # Claims: names that belong to somebody and are no objects (node ports), in the same transaction as the objects

    def claimed(self, claim: str, name: str) -> str | None:
        """Who holds a name, None when it is free."""
        record = self._storage.get(claim, "", name)
        return record.data.decode() if record else None

    def claim(self, claim: str, name: str, owner: str) -> None:
        """Give a free name to an owner."""
        self._storage.put(claim, "", name, owner.encode(), {})

    def disclaim(self, claim: str, name: str) -> None:
        """Free a name."""
        self._storage.remove(claim, "", name, b"")

    # Within

    def _mark(self, kind: Kind, obj: Object, grace: int) -> None:
        if kind.kind == "Namespace":
            mark_deleted(kind, obj, self.clock(), None)
            obj["status"] = {**status(obj), "phase": "Terminating"}
        else:
            mark_deleted(kind, obj, self.clock() + timedelta(seconds=grace), grace)

    def _write(self, kind: Kind, obj: Object) -> Object:
        new = ordered(kind, obj)
        meta = new["metadata"]
        meta["resourceVersion"] = str(self._storage.revision + 1)
        namespace, name = text(meta.get("namespace")), text(meta["name"])
        stored = kind.store(new) if isinstance(kind, CustomKind) else new
        self._storage.put(kind.key, namespace, name, msgspec.json.encode(stored), labels_of(new))
        return new

    def _remove(self, kind: Kind, obj: Object, old: Object) -> Object:
        last = ordered(kind, obj)
        self._admission.deleted(self, kind, old)
        meta = last["metadata"]
        meta["resourceVersion"] = str(self._storage.revision + 1)
        # Watchers see the state before the write that let it go, at the version of that write.
        seen = {**old, "metadata": {**metadata(old), "resourceVersion": meta["resourceVersion"]}}
        self._storage.remove(kind.key, text(meta.get("namespace")), text(meta["name"]), msgspec.json.encode(seen))
        return last

    def _check_scope(self, kind: Kind, obj: Object) -> None:
        meta = metadata(obj)
        if kind.namespaced and not meta.get("namespace"):
            raise errors.BadRequest(f"{kind.kind} is namespaced: metadata.namespace is required", resource=kind.plural)
        if not kind.namespaced:
            meta.pop("namespace", None)

    def _not_newer_than(self, resource_version: str | int) -> None:
        asked = str(resource_version)
        if not asked.isdecimal():
            raise errors.BadRequest(f'resourceVersion: Invalid value: "{asked}": not a number')
        if int(asked) > self._storage.revision:
            cause = errors.Cause("ResourceVersionTooLarge", "Too large resource version")
            message = f"Timeout: Too large resource version: {asked}, current: {self._storage.revision}"
            raise errors.ServerTimeout(message, causes=[cause], retry_after=1)


class _Undo(Exception):  # noqa: N818 - it ends a dry run and is no error
    pass


def _check_preconditions(kind: Kind, old: Object, wanted_uid: str, wanted_version: str) -> None:
    name = text(metadata(old).get("name"))
    if wanted_uid and wanted_uid != uid(old):
        why = (
            f"the UID in the precondition ({wanted_uid}) does not match the UID in record ({uid(old)}). "
            "The object might have been deleted and then recreated"
        )
        raise errors.Conflict(
            f'Operation cannot be fulfilled on {kind.kind} "{name}": {why}',
            group=kind.group,
            resource=kind.plural,
            name=name,
        )
    if wanted_version and wanted_version != metadata(old).get("resourceVersion"):
        why = f"the ResourceVersion in the precondition ({wanted_version}) does not match the ResourceVersion in record"
        raise errors.conflict(kind, name, why)


def _grace_period(kind: Kind, old: Object, asked: int | None) -> int:
    """Seconds that a Pod gets: none before it is scheduled or after it ended; 0 for every other kind."""
    if kind.kind != "Pod":
        return 0
    wanted = asked if asked is not None else int(spec(old).get("terminationGracePeriodSeconds", DEFAULT_GRACE_PERIOD))
    if not spec(old).get("nodeName") or status(old).get("phase") in ("Succeeded", "Failed"):
        return 0
    return max(wanted, 0)


def _shorter(old: Object, grace: int) -> bool:
    current = metadata(old).get("deletionGracePeriodSeconds")
    return isinstance(current, int) and grace < current


def _hold_for_dependents(obj: Object, policy: str) -> None:
    """Add the finalizer that makes the garbage collector look after the dependents first."""
    wanted = {"Foreground": names.FOREGROUND_DELETION, "Orphan": names.ORPHAN_DEPENDENTS}.get(policy)
    kept = [f for f in finalizers(obj) if f not in (names.FOREGROUND_DELETION, names.ORPHAN_DEPENDENTS)]
    if wanted or deleting(obj):
        meta = obj["metadata"]
        meta["finalizers"] = [*kept, wanted] if wanted else finalizers(obj)


def _unheld(kind: Kind, obj: Object) -> bool:
    """Whether nothing keeps a deleted object: no finalizer, no contents (Namespace), no grace period (Pod)."""
    if finalizers(obj) or (kind.kind == "Namespace" and sequence(spec(obj).get("finalizers"))):
        return False
    return not (kind.kind == "Pod" and metadata(obj).get("deletionGracePeriodSeconds"))
