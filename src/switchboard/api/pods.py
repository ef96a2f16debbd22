"""What admission adds to a Pod: tolerations, priority, quality of service, limits of its namespace.

In: a Pod with its defaults, and the store for its namespace and priority classes.  Out: the Pod completed in place.
Called by ``api.admission`` at creation.
Specification: the plugins DefaultTolerationSeconds, Priority and LimitRanger of Kubernetes 1.36; the QoS classes of
https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.api import errors
from switchboard.api.errors import Cause
from switchboard.api.store import Store, kind_named
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence, text
from switchboard.k8s.quantity import value_of

TOLERATION_SECONDS: Final = 300
_TAINTS: Final = (names.NOT_READY_TAINT, names.UNREACHABLE_TAINT)
_COUNTED: Final = ("cpu", "memory")


def complete(store: Store, pod: Object) -> None:
    """Everything that admission adds; raises ``Forbidden`` for a Pod beyond the limits of its namespace."""
    _limit(store, pod)
    spec = pod["spec"]
    _tolerate(spec)
    _prioritise(store, pod, spec)
    pod["status"] = {"phase": "Pending", "qosClass": quality(spec)}


def _containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    found = [*sequence(spec.get("initContainers")), *sequence(spec.get("containers"))]
    return [c for c in found if isinstance(c, dict)]


def _tolerate(spec: dict[str, Any]) -> None:
    """A Pod stays for a while on a node that is not ready or not reachable."""
    given = [mapping(t) for t in sequence(spec.get("tolerations"))]
    added = []
    for taint in _TAINTS:
        tolerated = any(
            (t.get("key") in (taint, None, "") and t.get("effect") in ("NoExecute", None, "")) for t in given
        )
        if not tolerated:
            seconds = {"tolerationSeconds": TOLERATION_SECONDS}
            added.append({"key": taint, "operator": "Exists", "effect": "NoExecute", **seconds})
    if added:
        spec["tolerations"] = [*sequence(spec.get("tolerations")), *added]


def _prioritise(store: Store, pod: Object, spec: dict[str, Any]) -> None:
    name = text(spec.get("priorityClassName"))
    if name:
        found = store.find("PriorityClass", "", name)
        if found is None and not name.startswith("system-"):
            why = f"no PriorityClass with name {name} was found"
            raise errors.forbidden(kind_named("Pod"), objects.name(pod), why)
        value = mapping(found).get("value", 2_000_000_000)
        policy = mapping(found).get("preemptionPolicy")
    else:
        classes = [c for c in store.list("PriorityClass")[0] if c.get("globalDefault") is True]
        chosen = mapping(classes[0]) if classes else {}
        value, policy = chosen.get("value", 0), chosen.get("preemptionPolicy")
        if chosen:
            spec["priorityClassName"] = objects.name(chosen)
    spec["priority"] = value
    spec.setdefault("preemptionPolicy", policy or "PreemptLowerPriority")


def quality(spec: dict[str, Any]) -> str:
    """Guaranteed, Burstable or BestEffort."""
    guaranteed, anything = True, False
    for container in _containers(spec):
        resources = mapping(container.get("resources"))
        requests, limits = (
            {k: value_of(v) for k, v in mapping(resources.get(part)).items() if k in _COUNTED and value_of(v)}
            for part in ("requests", "limits")
        )
        anything = anything or bool(requests or limits)
        guaranteed = guaranteed and set(limits) == set(_COUNTED) and {**limits, **requests} == limits
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _limit(store: Store, pod: Object) -> None:
    """Requests and limits that the namespace gives to containers without, and what it forbids."""
    items = [
        mapping(item)
        for found in store.list("LimitRange", objects.namespace(pod))[0]
        for item in sequence(objects.spec(found).get("limits"))
        if mapping(item).get("type") == "Container"
    ]
    told: list[str] = []
    for container in _containers(pod["spec"]):
        for item in items:
            _fill(container, item, told)
    if told:
        meta = pod["metadata"] = objects.metadata(pod)
        text_ = f"LimitRanger plugin set: {'; '.join(told)}"
        meta["annotations"] = {**objects.annotations(pod), names.LIMIT_RANGER: text_}
    for container in _containers(pod["spec"]):
        for item in items:
            _check(pod, container, item)


def _fill(container: dict[str, Any], item: dict[str, Any], told: list[str]) -> None:
    resources = container["resources"] = mapping(container.get("resources"))
    for part, source, shown in (("requests", "defaultRequest", "request"), ("limits", "default", "limit")):
        given = mapping(resources.get(part))
        added = {k: v for k, v in sorted(mapping(item.get(source)).items()) if k not in given}
        if added:
            resources[part] = {**given, **added}
            told.append(f"{', '.join(added)} {shown} for container {container.get('name')}")


def _check(pod: Object, container: dict[str, Any], item: dict[str, Any]) -> None:
    resources = mapping(container.get("resources"))
    for bound, part, beyond in (("min", "requests", -1), ("max", "limits", 1)):
        for name, limit in mapping(item.get(bound)).items():
            value, limited = value_of(mapping(resources.get(part)).get(name)), value_of(limit)
            if value is not None and limited is not None and (value - limited) * beyond > 0:
                shown = "minimum" if bound == "min" else "maximum"
                why = f"{shown} {name} usage per Container is {limit}, but {part.removesuffix('s')} is not within it"
                raise errors.forbidden(kind_named("Pod"), objects.name(pod), why, [Cause("", why)])
