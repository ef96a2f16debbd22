"""Rules for configuration, nodes, leases, quotas, limits, events and volume claims.

In: an object with defaults (and the stored one on updates).  Out: findings through the ``Report``.
Called by ``k8s.validation``.
Specification: pkg/apis/core/validation and pkg/apis/coordination/validation of Kubernetes 1.36.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence, text
from switchboard.k8s.quantity import value_of
from switchboard.k8s.validation import formats
from switchboard.k8s.validation.report import Report

MAX_BYTES: Final = 1024 * 1024
EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
# Keys that a type of Secret must have; one of them is enough for basic-auth.
_SECRET_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_BASIC_AUTH, _BASIC_KEYS = "kubernetes.io/basic-auth", ("username", "password")
_ACCOUNT_TOKEN, _ACCOUNT_NAME = "kubernetes.io/service-account-token", "kubernetes.io/service-account.name"
_QUOTA: Final = frozenset(
    ("cpu", "memory", "ephemeral-storage", "storage", "pods", "services", "secrets", "configmaps", "resourcequotas",
     "replicationcontrollers", "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
     "requests.cpu", "requests.memory", "requests.storage", "requests.ephemeral-storage", "limits.cpu",
     "limits.memory", "limits.ephemeral-storage", "hugepages-2Mi", "hugepages-1Gi")
)  # fmt: skip
_LIMIT_TYPES: Final = ("Pod", "Container", "PersistentVolumeClaim")


def _keys(report: Report, field: str, found: object) -> None:
    for key in mapping(found):
        place = f"{field}[{key}]"
        if key in (".", "..") or (key.startswith("..") and len(key) > 2):
            report.invalid(place, key, "something else than . and .., and not begin with ..")
        elif len(key) > formats.SUBDOMAIN_LENGTH:
            report.invalid(place, key, f"at most {formats.SUBDOMAIN_LENGTH} characters long")
        elif not _KEY.fullmatch(key):
            report.invalid(place, key, "letters, digits, dashes, underscores and dots")


def config_map(report: Report, obj: Object, old: Object | None) -> None:
    """Keys that can be file names, each once; a megabyte in all."""
    data, binary = mapping(obj.get("data")), mapping(obj.get("binaryData"))
    _keys(report, "data", data)
    _keys(report, "binaryData", binary)
    for key in data:
        if key in binary:
            report.invalid(f"data[{key}]", key, "in one of `data` and `binaryData` only")
    size = sum(len(text(v).encode()) for v in data.values()) + sum(_length(v) for v in binary.values())
    if size > MAX_BYTES:
        report.too_long("[]", f"{MAX_BYTES} bytes")
    _immutable(report, obj, old, "data", "binaryData")


def secret(report: Report, obj: Object, old: Object | None) -> None:
    """The same for Secrets, and the keys of their type."""
    data, type_ = mapping(obj.get("data")), text(obj.get("type"))
    _keys(report, "data", data)
    if sum(_length(v) for v in data.values()) > MAX_BYTES:
        report.too_long("data", f"{MAX_BYTES} bytes")
    for key in _SECRET_KEYS.get(type_, ()):
        if key not in data:
            report.required(f"data[{key}]")
    if type_ == _BASIC_AUTH and not any(key in data for key in _BASIC_KEYS):
        for key in _BASIC_KEYS:
            report.required(f"data[{key}]")
    if type_ == _ACCOUNT_TOKEN and not objects.annotations(obj).get(_ACCOUNT_NAME):
        report.required(f"metadata.annotations[{_ACCOUNT_NAME}]")
    if (
        type_ == "kubernetes.io/tls"
        and data.keys() >= set(_SECRET_KEYS[type_])
        and not all(data[key] for key in _SECRET_KEYS[type_])
    ):
        report.warn("no-key-pair", "data", "The certificate or its key is empty.", "Give both, PEM encoded.")
    if old is not None and text(old.get("type")) != type_:
        report.immutable("type", type_)
    _immutable(report, obj, old, "data")


def _length(value: object) -> int:
    try:
        return len(base64.b64decode(text(value)))
    except (binascii.Error, ValueError):
        return len(text(value))


def _immutable(report: Report, obj: Object, old: Object | None, *fields: str) -> None:
    if old is None or old.get("immutable") is not True:
        return
    if obj.get("immutable") is not True:
        report.immutable("immutable", forbidden=True)
    for field in fields:
        if mapping(obj.get(field)) != mapping(old.get(field)):
            report.immutable(field, forbidden=True)


def node(report: Report, obj: Object, old: Object | None) -> None:
    """Taints with known effects, each once; a provider that stays."""
    seen: set[tuple[Any, Any]] = set()
    for i, taint in enumerate(mapping(t) for t in sequence(objects.spec(obj).get("taints"))):
        field = f"metadata.taints[{i}]"
        report.problems(f"{field}.key", taint.get("key"), formats.qualified_name(text(taint.get("key"))))
        report.problems(f"{field}.value", taint.get("value"), formats.label_value(text(taint.get("value"))))
        if not taint.get("effect"):
            report.required(f"{field}.effect")
        elif taint["effect"] not in EFFECTS:
            report.not_supported(f"{field}.effect", taint["effect"], EFFECTS)
        key = (taint.get("key"), taint.get("effect"))
        if key in seen:
            report.duplicate(field, taint, "A taint is known by its key and effect.")
        seen.add(key)
    before = objects.spec(old or {}).get("providerID")
    if before and objects.spec(obj).get("providerID") != before:
        report.immutable("spec.providerID", forbidden=True)
    pods = objects.spec(old or {}).get("podCIDRs")
    if pods and objects.spec(obj).get("podCIDRs") != pods:
        report.immutable("spec.podCIDRs", forbidden=True)


def lease(report: Report, obj: Object, old: Object | None) -> None:
    """A duration above zero, transitions that are counted."""
    del old
    spec = objects.spec(obj)
    seconds = spec.get("leaseDurationSeconds")
    if isinstance(seconds, int) and seconds <= 0:
        report.invalid("spec.leaseDurationSeconds", seconds, "greater than 0")
    report.not_negative("spec.leaseTransitions", spec.get("leaseTransitions"))


def quota(report: Report, obj: Object, old: Object | None) -> None:
    """Known resources, quantities of zero or more."""
    del old
    for name, amount in mapping(objects.spec(obj).get("hard")).items():
        field = f"spec.hard[{name}]"
        if "/" not in name and name not in _QUOTA:
            report.invalid(field, name, "a resource that quotas know, or one with a domain")
        value = value_of(amount)
        if value is not None and value < 0:
            report.invalid(field, amount, "0 or greater")


def limit_range(report: Report, obj: Object, old: Object | None) -> None:
    """One item for each type; min, defaultRequest, default and max in this order."""
    del old
    seen: set[Any] = set()
    for i, item in enumerate(mapping(m) for m in sequence(objects.spec(obj).get("limits"))):
        field = f"spec.limits[{i}]"
        type_ = item.get("type")
        if not type_:
            report.required(f"{field}.type")
        elif type_ not in _LIMIT_TYPES and "/" not in text(type_):
            report.invalid(f"{field}.type", type_, "a type that limits know, or one with a domain")
        if type_ in seen:
            report.duplicate(f"{field}.type", type_)
        seen.add(type_)
        _ordered(report, field, item)


def _ordered(report: Report, field: str, item: dict[str, Any]) -> None:
    low, request, default, high = (mapping(item.get(p)) for p in ("min", "defaultRequest", "default", "max"))
    for name in sorted({*low, *request, *default, *high}):
        values = {p: value_of(m.get(name)) for p, m in (("min", low), ("defaultRequest", request),
                                                        ("default", default), ("max", high))}  # fmt: skip

        def above(one: str, other: str, values: dict[str, Any] = values) -> bool:
            return values[one] is not None and values[other] is not None and values[one] > values[other]

        if above("min", "max"):
            report.invalid(f"{field}.min[{name}]", low.get(name), "at most `max`")
        if above("min", "defaultRequest"):
            report.invalid(f"{field}.defaultRequest[{name}]", request.get(name), "at least `min`")
        if above("defaultRequest", "max") or above("defaultRequest", "default"):
            report.invalid(f"{field}.defaultRequest[{name}]", request.get(name), "at most `default` and `max`")
        if above("min", "default"):
            report.invalid(f"{field}.default[{name}]", default.get(name), "at least `min`")
        if above("default", "max"):
            report.invalid(f"{field}.default[{name}]", default.get(name), "at most `max`")


def event(report: Report, obj: Object, old: Object | None) -> None:
    """Events of the new kind, which have an eventTime, say who reports what."""
    del old
    if obj.get("eventTime") is None:
        return
    component = obj.get("reportingComponent", obj.get("reportingController"))
    if not component:
        report.required("reportingComponent")
    report.problems("reportingComponent", component, formats.qualified_name(text(component)))
    for field in ("reportingInstance", "action", "reason"):
        if not obj.get(field):
            report.required(field)
    if obj.get("type") not in ("Normal", "Warning"):
        report.invalid("type", obj.get("type"), "Normal or Warning")


def claim(report: Report, obj: Object, old: Object | None) -> None:
    """Access modes and a size."""
    del old
    spec = objects.spec(obj)
    modes = sequence(spec.get("accessModes"))
    if not modes:
        report.required("spec.accessModes", "with at least one mode")
    for mode in modes:
        if mode not in ACCESS_MODES:
            report.not_supported("spec.accessModes", mode, ACCESS_MODES)
    size = mapping(mapping(spec.get("resources")).get("requests")).get("storage")
    if size is None:
        report.required("spec.resources[storage]")
    elif (value_of(size) or 0) <= 0:
        report.invalid("spec.resources[storage]", size, "greater than zero")


KINDS: Final = {
    ("v1", "ConfigMap"): config_map,
    ("v1", "Secret"): secret,
    ("v1", "Node"): node,
    ("v1", "ResourceQuota"): quota,
    ("v1", "LimitRange"): limit_range,
    ("v1", "Event"): event,
    ("v1", "PersistentVolumeClaim"): claim,
    (f"{names.COORDINATION}/v1", "Lease"): lease,
}
