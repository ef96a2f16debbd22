"""The shape in which kube-apiserver writes objects: what is always there, and what is left out when it holds nothing.

In: a mutable object that is about to be stored.  Out: the same, shaped.
Called by the API server's admission, last of all.
Specification: the ``omitempty`` tags of the Go types of Kubernetes 1.36, seen in tests/cases/api.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from switchboard.k8s import objects
from switchboard.k8s.objects import Object, copied, mapping, sequence

# What the status of a kind holds even when nobody has written it.
STATUSES: Final[dict[str, dict[str, Any]]] = {
    "Ingress": {"loadBalancer": {}},
    "Deployment": {},
    "ReplicaSet": {"replicas": 0},
    "ReplicationController": {"replicas": 0},
    "StatefulSet": {"replicas": 0, "availableReplicas": 0},
    "DaemonSet": {
        "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
    },
    "Job": {},
    "CronJob": {},
    "HorizontalPodAutoscaler": {"desiredReplicas": 0, "currentMetrics": None},
    "PodDisruptionBudget": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
    "ResourceQuota": {},
    "PersistentVolumeClaim": {"phase": "Pending"},
    "PersistentVolume": {"phase": "Pending"},
    "Node": {
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "nodeInfo": {
            "machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "", "osImage": "",
            "containerRuntimeVersion": "", "kubeletVersion": "", "kubeProxyVersion": "", "operatingSystem": "",
            "architecture": "",
        },
    },
}  # fmt: skip
# Top-level fields that are left out when they hold nothing.
_OMITTED: Final[dict[str, tuple[str, ...]]] = {
    "ConfigMap": ("data", "binaryData"),
    "Secret": ("data",),
    "Endpoints": ("subsets",),
    "ServiceAccount": ("secrets", "imagePullSecrets"),
    "RoleBinding": ("subjects",),
    "ClusterRoleBinding": ("subjects",),
}
# Top-level fields that are null when they hold nothing.
_NULLS: Final[dict[str, tuple[str, ...]]] = {
    "EndpointSlice": ("endpoints", "ports"),
    "Role": ("rules",),
    "ClusterRole": ("rules",),
}
_EMPTY_SPECS: Final = frozenset(("Lease", "Namespace", "Node", "ResourceQuota"))


def shape(obj: Object) -> None:
    """Shape an object in place."""
    kind = objects.kind(obj)
    if kind in STATUSES:
        obj["status"] = {**copied(STATUSES[kind]), **{k: v for k, v in objects.status(obj).items() if v is not None}}
    for field in _OMITTED.get(kind, ()):
        if field in obj and not obj[field]:
            del obj[field]
    for field in _NULLS.get(kind, ()):
        if not obj.get(field) and not (kind == "EndpointSlice" and obj.get(field) == [] and field in obj):
            obj[field] = None
    if kind in _EMPTY_SPECS and not isinstance(obj.get("spec"), dict):
        obj["spec"] = {}
    further = _FURTHER.get(kind)
    if further is not None:
        further(obj)


def _ingress(obj: Object) -> None:
    spec = objects.spec(obj)
    for rule in (mapping(r) for r in sequence(spec.get("rules"))):
        _omit(rule, "host")
        for path in (mapping(p) for p in sequence(mapping(rule.get("http")).get("paths"))):
            _omit(path, "path")
            _resource(path.get("backend"))
    _resource(spec.get("defaultBackend"))


def _resource(backend: object) -> None:
    """The group of the core is null here, not missing."""
    found = mapping(backend).get("resource")
    if isinstance(found, dict):
        found["apiGroup"] = found.get("apiGroup") or None


def _omit(found: dict[str, Any], *fields: str) -> None:
    for field in fields:
        if field in found and not found[field]:
            del found[field]


def _network_policy(obj: Object) -> None:
    _omit(objects.spec(obj), "ingress", "egress")


def _event(obj: Object) -> None:
    if "regarding" in obj or "note" in obj:
        return
    for field, empty in (("source", {}), ("firstTimestamp", None), ("lastTimestamp", None), ("eventTime", None)):
        obj.setdefault(field, empty)
    for field in ("reportingComponent", "reportingInstance"):
        obj.setdefault(field, "")


def _conditions(obj: Object) -> None:
    """Times of a condition that nobody has given are null."""
    for condition in objects.conditions(obj):
        condition.setdefault("lastTransitionTime", None)


def _pod(obj: Object) -> None:
    for condition in objects.conditions(obj):
        condition.setdefault("lastProbeTime", None)
        condition.setdefault("lastTransitionTime", None)


_FURTHER: Final[dict[str, Callable[[Object], None]]] = {
    "Ingress": _ingress,
    "NetworkPolicy": _network_policy,
    "Event": _event,
    "Namespace": _conditions,
    "Pod": _pod,
}
