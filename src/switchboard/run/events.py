"""Kubernetes Events: written for people, counted when they repeat, forgotten after an hour.

In: what happened to an object, from a controller.  Out: ``Event`` objects in the store.
Called by the controller loop and by the gateway and node loops.
Specification: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from switchboard.api.errors import ApiError, NotFound
from switchboard.api.metadata import timestamp
from switchboard.api.store import Store
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object

KEPT = timedelta(hours=1)
_REMEMBERED = 4096


class EventRecorder:
    """Writes Events; an event equal to one of the last hour only counts up.

    Args:
        store: where the Events go.
        clock: the current time in UTC.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._known: OrderedDict[tuple[str, ...], tuple[str, str]] = OrderedDict()
        self._serial = 0
        self._expired_at = clock()

    def record(self, component: str, regarding: Object, type_: str, reason: str, message: str) -> None:
        """Tell what happened; an event that cannot be stored (its namespace is going) is dropped, as in Kubernetes."""
        key = (component, objects.kind(regarding), objects.key(regarding), objects.uid(regarding), reason, message)
        now = self._clock()
        try:
            if key in self._known and self._count(*self._known[key], now):
                self._known.move_to_end(key)
                return
            self._known[key] = self._create(component, regarding, type_, reason, message, now)
        except ApiError:
            return
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def expire(self) -> None:
        """Delete Events older than an hour; looks at them at most once a minute."""
        now = self._clock()
        if now - self._expired_at < timedelta(minutes=1):
            return
        self._expired_at = now
        limit = timestamp(now - KEPT)
        for event in self._store.list("Event")[0]:
            last = event.get("lastTimestamp") or objects.metadata(event).get("creationTimestamp")
            if isinstance(last, str) and last < limit:
                try:
                    self._store.delete("Event", objects.namespace(event), objects.name(event))
                except NotFound:
                    continue

    def _count(self, namespace: str, name: str, now: datetime) -> bool:
        known = self._store.find("Event", namespace, name)
        if known is None:
            return False
        known["count"] = int(known.get("count") or 0) + 1
        known["lastTimestamp"] = timestamp(now)
        self._store.update(known)
        return True

    def _create(
        self, component: str, regarding: Object, type_: str, reason: str, message: str, now: datetime
    ) -> tuple[str, str]:
        self._serial += 1
        stem = objects.name(regarding)[:200]
        stored = self._store.create(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {
                    # Time and a serial number keep names apart, as kube's own events do with nanoseconds.
                    "name": f"{stem}.{int(now.timestamp() * 1000):x}{self._serial:05x}",
                    "namespace": objects.namespace(regarding) or names.DEFAULT_NAMESPACE,
                },
                "involvedObject": {
                    "kind": objects.kind(regarding),
                    "namespace": objects.namespace(regarding),
                    "name": objects.name(regarding),
                    "uid": objects.uid(regarding),
                    "apiVersion": objects.api_version(regarding),
                    "resourceVersion": objects.resource_version(regarding),
                },
                "reason": reason,
                "message": message[:1024],
                "source": {"component": component},
                "firstTimestamp": timestamp(now),
                "lastTimestamp": timestamp(now),
                "count": 1,
                "type": type_,
                "eventTime": None,
                "reportingComponent": component,
                "reportingInstance": "",
            }
        )
        return objects.namespace(stored), objects.name(stored)
