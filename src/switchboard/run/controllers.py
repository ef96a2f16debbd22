"""The controller loop: wakes controllers on changes of what they read, and carries their plans out.

In: a store, controllers, a clock.  Out: writes into the store, Events, findings about what could not be done.
Called by ``run`` (``up``, ``controllers``) as one asyncio task, and by tests and start-up until nothing changes.
Level-triggered: a controller decides from the state as it is; a lost or repeated wake-up changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from switchboard.api import errors
from switchboard.api.storage import DELETED
from switchboard.api.store import Store
from switchboard.base import discovery
from switchboard.base.findings import Finding, Severity
from switchboard.controllers._contract import (
    NORMAL,
    WARNING,
    Controller,
    Create,
    Delete,
    Operation,
    Part,
    Plan,
    RecordEvent,
    Update,
    UpdateStatus,
)
from switchboard.controllers._snapshot import Cache, ObjectKey, Snapshot, UndeclaredKindError
from switchboard.k8s import objects
from switchboard.k8s.objects import Object
from switchboard.run.events import EventRecorder

EffectHandler = Callable[[Any], Iterable[Operation]]
FIRST_RETRY, LAST_RETRY = 0.1, 60.0  # seconds
GENERATED_NAMES = 8  # how many are tried before the object is given up for this time
CONTROLLERS_PACKAGE = "switchboard.controllers"


def discover() -> tuple[Controller, ...]:
    """Every controller of the package, found by file name."""
    return tuple(controller for _, controller in discovery.discover(CONTROLLERS_PACKAGE, "CONTROLLER"))


class _Desk:
    """What one controller has to look at: changed keys with their state before, keys that are due, failures."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.everything = True
        self.changed: dict[ObjectKey, Object | None] = {}
        self.due: dict[ObjectKey, datetime] = {}
        self.paused_until: datetime | None = None
        self.failures: dict[ObjectKey, int] = {}
        self.findings: dict[ObjectKey, Finding] = {}

    def notice(self, key: ObjectKey, before: Object | None) -> None:
        """Remember a change; of several only the first state before counts."""
        if not self.everything:
            self.changed.setdefault(key, before)

    def next_moment(self) -> datetime | None:
        """When there is something to look at: None is never, the earliest datetime is at once."""
        if self.everything or self.changed:
            return self.paused_until or datetime.min.replace(tzinfo=UTC)
        return min(self.due.values(), default=None)

    def wants(self, now: datetime) -> bool:
        """Whether there is something to look at now."""
        moment = self.next_moment()
        return moment is not None and moment <= now

    def take(self, cache: Cache, now: datetime) -> dict[ObjectKey, Object | None] | None:
        """What to look at now, and forget it; None is everything."""
        changed, everything = self.changed, self.everything
        self.changed, self.everything, self.paused_until = {}, False, None
        if everything:
            self.due.clear()
            return None
        for key in [key for key, moment in self.due.items() if moment <= now]:
            del self.due[key]
            changed.setdefault(key, cache.objects(key[0]).get((key[1], key[2])))
        return changed

    def put_back(self, changed: Mapping[ObjectKey, Object | None] | None) -> None:
        """What a failed run took: it is to be looked at again."""
        self.everything = self.everything or changed is None
        self.changed = {} if changed is None else {**self.changed, **changed}

    def succeed(self, key: ObjectKey) -> None:
        """Forget the failures of an object."""
        self.failures.pop(key, None)
        self.findings.pop(key, None)


class ControllerLoop:
    """Runs controllers over a store.

    Args:
        store: read through its events, written by the plans.
        controllers: as found by ``discover``.
        clock: the current time in UTC.
        effects: for each kind of effect (``IssueCertificate``) what performs it; it answers with operations to write.
        settings: configuration that controllers read from their snapshot.
    """

    def __init__(
        self,
        store: Store,
        controllers: Iterable[Controller],
        *,
        clock: Callable[[], datetime],
        effects: Mapping[type, EffectHandler] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._effects = dict(effects or {})
        self._settings = dict(settings or {})
        self._desks = [_Desk(controller) for controller in controllers]
        self._readers: dict[str, list[_Desk]] = {}
        for desk in self._desks:
            for kind in desk.controller.reads:
                self._readers.setdefault(kind, []).append(desk)
        self._cache = Cache()
        self._seen: int | None = None
        self._recorder = EventRecorder(store, clock)
        # Versions that this plan itself made obsolete: an operation that follows may rest on them.
        self._own: dict[ObjectKey, tuple[str, str]] = {}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What could not be done at the last attempt, ordered by controller and object."""
        return tuple(desk.findings[key] for desk in self._desks for key in sorted(desk.findings))

    def step(self) -> bool:
        """Let every controller that has something to look at run once; answers whether one did."""
        ran = False
        for desk in self._desks:
            self._pull()
            if desk.wants(self._clock()):
                ran = True
                self._run(desk)
        self._pull()
        return ran

    def run_until_settled(self, rounds: int = 1000) -> int:
        """Step until no controller has anything left to do now; answers the number of rounds.

        Raises RuntimeError when controllers still write after ``rounds``: they undo each other's work.
        """
        for done in range(rounds):
            if not self.step():
                return done
        busy = ", ".join(d.controller.name for d in self._desks if d.wants(self._clock()))
        raise RuntimeError(f"controllers do not settle after {rounds} rounds: {busy}")

    async def run(self) -> None:
        """Run until cancelled: wakes on changes of the store and when something is due."""
        woken = asyncio.Event()
        unsubscribe = self._store.subscribe(woken.set)
        try:
            while True:
                woken.clear()
                if self.step():
                    await asyncio.sleep(0)
                    continue
                self._recorder.expire()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), self._seconds_until_due())
        finally:
            unsubscribe()

    def _seconds_until_due(self) -> float:
        moments = [moment for desk in self._desks if (moment := desk.next_moment()) is not None]
        if not moments:
            return LAST_RETRY
        return min(max((min(moments) - self._clock()).total_seconds(), 0.001), LAST_RETRY)

    def _pull(self) -> None:
        """Bring the cache up to the store and tell each controller what changed."""
        try:
            if self._seen is None:
                raise errors.Expired("nothing read yet")
            changes = self._store.events(self._seen)
        except errors.Expired:
            self._relist()
            return
        for event in changes:
            readers = self._readers.get(event.kind)
            if readers is None:
                continue
            key = (event.namespace, event.name)
            before = self._cache.objects(event.kind).get(key)
            if event.type == DELETED:
                self._cache.remove(event.kind, key)
            else:
                self._cache.put(event.kind, key, event.object)
            for desk in readers:
                desk.notice((event.kind, *key), before)
        self._seen = self._store.settled_version

    def _relist(self) -> None:
        self._cache = Cache()
        for kind in self._readers:
            for record in self._store.records(kind):
                self._cache.put(kind, (record.namespace, record.name), record.object)
        self._seen = self._store.settled_version
        for desk in self._desks:
            desk.everything = True

    def _run(self, desk: _Desk) -> None:
        now = self._clock()
        changed = desk.take(self._cache, now)
        snapshot = Snapshot(self._cache, desk.controller.reads, changed, self._settings)
        try:
            plan = desk.controller.reconcile(snapshot, now)
        except Exception as error:  # noqa: BLE001 - one broken controller must not stop the others
            desk.put_back(changed)
            desk.paused_until = now + self._fail(desk, _WHOLE, f"{type(error).__name__}: {error}")
            return
        desk.succeed(_WHOLE)
        self._carry_out(desk, plan, changed, now)

    def _carry_out(
        self, desk: _Desk, plan: Plan, changed: Mapping[ObjectKey, Object | None] | None, now: datetime
    ) -> None:
        self._own.clear()
        for part in plan.parts:
            error = part.error or self._carry_out_part(desk.controller, part)
            if error:
                desk.due[part.key] = now + self._fail(desk, part.key, error)
                continue
            desk.succeed(part.key)
            desk.due.pop(part.key, None)
            if part.requeue_after is not None:
                desk.due[part.key] = now + timedelta(seconds=part.requeue_after)
        handled = {part.key for part in plan.parts}
        for key in [k for k in desk.failures if k not in handled and (changed is None or k in changed)]:
            desk.succeed(key)

    def _carry_out_part(self, controller: Controller, part: Part) -> str:
        """Carry the operations out in order; answers why the part ended early, empty when all is done."""
        for operation in part.operations:
            try:
                self._perform(controller, operation)
            except errors.Conflict as conflict:
                # Somebody was faster: their change is on its way here and brings the controller back.
                return str(conflict)
            except errors.NotFound:
                return ""
            except errors.Forbidden as refusal:
                if any(cause.reason == "NamespaceTerminating" for cause in refusal.causes):
                    return ""
                return self._refused(controller, operation, refusal)
            except errors.ApiError as refusal:
                return self._refused(controller, operation, refusal)
            except Exception as error:  # noqa: BLE001 - an effect may fail in any way; it is told and tried again
                return f"{type(operation).__name__}: {type(error).__name__}: {error}"
        return ""

    def _refused(self, controller: Controller, operation: Operation, refusal: errors.ApiError) -> str:
        if isinstance(operation, Create) and operation.regarding is not None:
            message = f"Error creating: {refusal}"
            self._recorder.record(controller.name, operation.regarding, WARNING, "FailedCreate", message)
        return str(refusal)

    def _perform(self, controller: Controller, operation: Operation) -> None:
        match operation:
            case RecordEvent():
                self._recorder.record(
                    controller.name, operation.regarding, operation.type, operation.reason, operation.message
                )
            case Create():
                self._create(controller, operation)
            case Update():
                self._allowed(controller, objects.kind(operation.object))
                sent = self._rebased(operation.object)
                self._remember(sent, self._store.update(sent, subresource=operation.subresource))
            case UpdateStatus():
                self._allowed(controller, objects.kind(operation.object))
                self._update_status(operation.object)
            case Delete():
                self._delete(controller, operation)
            case _:
                handler = self._effects.get(type(operation))
                if handler is None:
                    raise RuntimeError(f"nothing here performs {type(operation).__name__}")
                for follow_up in handler(operation):
                    self._perform(controller, follow_up)

    def _create(self, controller: Controller, operation: Create) -> None:
        kind = objects.kind(operation.object)
        self._allowed(controller, kind)
        created = self._stored(operation.object)
        if created is None:
            return
        if operation.regarding is not None:
            message = f"Created {_word(kind)}: {objects.name(created)}"
            self._recorder.record(controller.name, operation.regarding, NORMAL, "SuccessfulCreate", message)

    def _stored(self, obj: Object) -> Object | None:
        """The object as it was created, None when one of its name is there already.

        A generated name that is taken is drawn again, as kube-apiserver does: the object is wanted all the same.
        """
        for attempt in range(GENERATED_NAMES):
            try:
                return self._store.create(obj)
            except errors.AlreadyExists:
                if objects.name(obj):
                    return None
                if attempt == GENERATED_NAMES - 1:
                    raise
        return None

    def _delete(self, controller: Controller, operation: Delete) -> None:
        self._allowed(controller, operation.kind)
        try:
            self._store.delete(
                operation.kind,
                operation.namespace,
                operation.name,
                uid=operation.uid,
                propagation_policy=operation.propagation_policy,
                grace_period_seconds=operation.grace_period_seconds,
            )
        except errors.NotFound:
            return
        if operation.regarding is not None:
            message = f"Deleted {_word(operation.kind)}: {operation.name}"
            self._recorder.record(controller.name, operation.regarding, NORMAL, "SuccessfulDelete", message)

    def _update_status(self, wanted: Object) -> None:
        sent = self._rebased(wanted)
        current = self._store.get(objects.kind(sent), objects.namespace(sent), objects.name(sent))
        current["status"] = objects.status(sent)
        current["metadata"]["resourceVersion"] = objects.resource_version(sent)
        self._remember(sent, self._store.update_status(current))

    def _rebased(self, obj: Object) -> Object:
        """The object at the version that an earlier operation of the same plan gave it."""
        known = self._own.get((objects.kind(obj), objects.namespace(obj), objects.name(obj)))
        if known is None or known[0] != objects.resource_version(obj):
            return obj
        return {**obj, "metadata": {**objects.metadata(obj), "resourceVersion": known[1]}}

    def _remember(self, sent: Object, stored: Object) -> None:
        key = (objects.kind(sent), objects.namespace(sent), objects.name(sent))
        first = self._own[key][0] if key in self._own else objects.resource_version(sent)
        self._own[key] = (first, objects.resource_version(stored))

    def _allowed(self, controller: Controller, kind: str) -> None:
        if kind not in controller.writes:
            raise UndeclaredKindError(f"{kind} is not among the kinds that {controller.name} writes")

    def _fail(self, desk: _Desk, key: ObjectKey, error: str) -> timedelta:
        """Note a failure, tell the readers of the object, and answer how long to wait before the next attempt."""
        count = desk.failures[key] = desk.failures.get(key, 0) + 1
        kind, namespace, name = key
        desk.findings[key] = Finding(
            reference="controller-failed",
            message=f"{desk.controller.name}: {error}",
            severity=Severity.WARNING,
            object=f"{kind} {namespace}/{name}".replace(" /", " ").strip() if kind else "",
            hint="It is tried again; the object's events tell more.",
        )
        regarding = self._cache.objects(kind).get((namespace, name))
        if regarding is not None and count > 1:
            # A first failure is mostly a conflict that the next attempt resolves.
            self._recorder.record(desk.controller.name, regarding, WARNING, "FailedSync", error)
        return timedelta(seconds=min(FIRST_RETRY * 2 ** min(count - 1, 30), LAST_RETRY))


_WHOLE: ObjectKey = ("", "", "")


def _word(kind: str) -> str:
    """How Kubernetes' messages write a kind: pods in lower case, other kinds as they are."""
    return "pod" if kind == "Pod" else kind
