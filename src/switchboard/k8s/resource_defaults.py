"""Defaults of the kinds that are no workloads and no Services.

In: a mutable copy of an object.  Out: the same with defaults filled in.
Called by ``k8s.defaults`` only.
Specification: pkg/apis/*/v1/defaults.go of Kubernetes 1.36, and the recorded answers in tests/cases/api.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence
from switchboard.k8s.pod_defaults import fill, fill_empty
from switchboard.k8s.quantity import canonical_values

_TIMES: Final = ("acquireTime", "renewTime")


def fill_in(obj: Object) -> None:
    """The defaults of an object's kind, in place; other kinds stay as they are."""
    found = _DEFAULTS.get((objects.api_version(obj), objects.kind(obj)))
    if found is not None:
        found(obj)


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in sequence(value) if isinstance(entry, dict)]


def _config_map(obj: Object) -> None:
    _empty_texts(obj.get("data"))


def _empty_texts(found: Any) -> None:
    """A null in a mapping of texts is an empty text."""
    if isinstance(found, dict):
        for key, value in found.items():
            if value is None:
                found[key] = ""


def _secret(obj: Object) -> None:
    """What is given as text is stored encoded, over what is there."""
    given = obj.pop("stringData", None)
    if isinstance(given, dict):
        data = obj["data"] = mapping(obj.get("data"))
        for key, value in given.items():
            if isinstance(value, str) or value is None:
                data[key] = base64.b64encode((value or "").encode()).decode()
    _empty_texts(obj.get("data"))
    fill_empty(obj, type="Opaque")


def _endpoints(obj: Object) -> None:
    for subset in _mappings(obj.get("subsets")):
        for port in _mappings(subset.get("ports")):
            fill_empty(port, protocol="TCP")


def _slice(obj: Object) -> None:
    """``conditions`` is always there, an endpoint without one included; topology of the old version is dropped."""
    endpoints = obj.get("endpoints")
    if isinstance(endpoints, list):
        obj["endpoints"] = [{"addresses": []} if e is None else e for e in endpoints]
    for endpoint in _mappings(obj.get("endpoints")):
        endpoint.pop("deprecatedTopology", None)
        conditions = mapping(endpoint.get("conditions"))
        endpoint["conditions"] = {k: v for k, v in conditions.items() if v is not None}
    for port in _mappings(obj.get("ports")):
        fill(port, name="", protocol="TCP")


def _binding(obj: Object) -> None:
    """Users and groups belong to the RBAC group, and so does the role."""
    reference = obj.get("roleRef")
    if isinstance(reference, dict):
        fill_empty(reference, apiGroup=names.RBAC)
    for subject in _mappings(obj.get("subjects")):
        if subject.get("kind") in ("User", "Group"):
            fill_empty(subject, apiGroup=names.RBAC)
        elif subject.get("kind") == "ServiceAccount":
            fill_empty(subject, namespace=objects.namespace(obj))
            if not subject["namespace"]:
                del subject["namespace"]


def _lease(obj: Object) -> None:
    """Times in UTC, with six decimals."""
    spec = obj.get("spec")
    if isinstance(spec, dict):
        for field in _TIMES:
            spec[field] = _micro_time(spec[field]) if isinstance(spec.get(field), str) else spec.get(field)
            if spec[field] is None:
                del spec[field]


def _micro_time(text: str) -> str:
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return text
    return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if found.tzinfo else text


def _claim(obj: Object) -> None:
    spec = obj.get("spec")
    if isinstance(spec, dict):
        fill(spec, volumeMode="Filesystem")
        _resources(spec)


def _volume(obj: Object) -> None:
    spec = obj.get("spec")
    if isinstance(spec, dict):
        fill(spec, volumeMode="Filesystem")
        fill_empty(spec, persistentVolumeReclaimPolicy="Retain")
        canonical_values(spec.get("capacity"))


def _resources(holder: dict[str, Any]) -> None:
    for part in mapping(holder.get("resources")).values():
        canonical_values(part)


def _quota(obj: Object) -> None:
    canonical_values(objects.spec(obj).get("hard"))


def _limits(obj: Object) -> None:
    """Of containers, what is not said follows what is: limits from max, requests from limits or min."""
    for item in _mappings(objects.spec(obj).get("limits")):
        for part in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
            canonical_values(item.get(part))
        if item.get("type") != "Container":
            continue
        limits = {**mapping(item.get("max")), **mapping(item.get("default"))}
        requests = {**mapping(item.get("min")), **limits, **mapping(item.get("defaultRequest"))}
        if limits:
            item["default"] = limits
        if requests:
            item["defaultRequest"] = requests


def _node(obj: Object) -> None:
    status = obj.get("status")
    if isinstance(status, dict):
        for part in ("capacity", "allocatable"):
            canonical_values(status.get(part))
        if mapping(status.get("capacity")):
            status["allocatable"] = {**status["capacity"], **mapping(status.get("allocatable"))}


def _pod(obj: Object) -> None:
    """The first of several addresses is the one address."""
    status = obj.get("status")
    if isinstance(status, dict) and status.get("podIP"):
        found = _mappings(status.get("podIPs"))
        if not found or found[0].get("ip") != status["podIP"]:
            status["podIPs"] = [{"ip": status["podIP"]}]


def _storage_class(obj: Object) -> None:
    fill_empty(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _priority_class(obj: Object) -> None:
    fill_empty(obj, preemptionPolicy="PreemptLowerPriority")


def _controller(obj: Object) -> None:
    """A ReplicationController takes labels and selector from its template."""
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return
    labels = mapping(mapping(mapping(spec.get("template")).get("metadata")).get("labels"))
    if labels:
        fill_empty(spec, selector={**labels})
        meta = obj["metadata"] = objects.metadata(obj)
        if not meta.get("labels"):
            meta["labels"] = {**labels}
    fill(spec, replicas=1)


_DEFAULTS: Final[dict[tuple[str, str], Callable[[Object], None]]] = {
    ("v1", "ConfigMap"): _config_map,
    ("v1", "Secret"): _secret,
    ("v1", "Pod"): _pod,
    ("v1", "Endpoints"): _endpoints,
    ("v1", "PersistentVolumeClaim"): _claim,
    ("v1", "PersistentVolume"): _volume,
    ("v1", "ResourceQuota"): _quota,
    ("v1", "LimitRange"): _limits,
    ("v1", "Node"): _node,
    ("v1", "ReplicationController"): _controller,
    (f"{names.DISCOVERY}/v1", "EndpointSlice"): _slice,
    (f"{names.RBAC}/v1", "RoleBinding"): _binding,
    (f"{names.RBAC}/v1", "ClusterRoleBinding"): _binding,
    (f"{names.COORDINATION}/v1", "Lease"): _lease,
    (f"{names.STORAGE}/v1", "StorageClass"): _storage_class,
    (f"{names.SCHEDULING}/v1", "PriorityClass"): _priority_class,
}
