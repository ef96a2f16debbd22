"""Columns of the core kinds that are no workloads and no Services: nodes, namespaces, configuration, events, volumes.

In: objects.  Out: cells.
Called by ``columns.columns_of``.
Specification: pkg/printers/internalversion of Kubernetes 1.36.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from switchboard.api.server.columns.cells import AGE, NAME, NONE, UNKNOWN, at, column, joined, labels, since
from switchboard.api.server.tables import Column, Columns, age
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence, text

_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _node_status(node: Object) -> str:
    ready = objects.condition(node, "Ready")
    shown = {"True": "Ready", "": "Unknown"}.get(ready, "NotReady")
    return f"{shown},SchedulingDisabled" if objects.spec(node).get("unschedulable") else shown


def _roles(node: Object) -> str:
    prefix = names.NODE_ROLE_PREFIX
    return joined(sorted(k.removeprefix(prefix) for k in objects.labels(node) if k.startswith(prefix)))


def _address(type_: str) -> Any:
    def read(node: Object) -> str:
        found = (mapping(a) for a in sequence(objects.status(node).get("addresses")))
        return next((text(a.get("address")) for a in found if a.get("type") == type_), NONE)

    return read


def _info(field: str) -> Any:
    return lambda node: mapping(objects.status(node).get("nodeInfo")).get(field) or UNKNOWN


def _keys(*fields: str) -> Any:
    return lambda obj: sum(len(mapping(obj.get(field))) for field in fields)


def _last_seen(event: Object, now: datetime) -> str:
    return age(_first_of(event, "lastTimestamp", "firstTimestamp", "eventTime"), now)


def _first_of(event: Object, *fields: str) -> Any:
    series = mapping(event.get("series")).get("lastObservedTime")
    return next((event[f] for f in fields if event.get(f)), series)


def _involved(event: Object) -> str:
    found = mapping(event.get("involvedObject") or event.get("regarding"))
    return f"{text(found.get('kind')).lower()}/{text(found.get('name'))}"


def _source(event: Object) -> str:
    found = mapping(event.get("source") or event.get("deprecatedSource"))
    if not found.get("component") and not found.get("host"):
        return text(event.get("reportingComponent") or event.get("reportingController"))
    return ", ".join(text(found[k]) for k in ("component", "host") if found.get(k))


def _subobject(event: Object) -> str:
    return text(mapping(event.get("involvedObject") or event.get("regarding")).get("fieldPath"))


def _count(event: Object) -> int:
    found = mapping(event.get("series")).get("count") or event.get("count") or event.get("deprecatedCount")
    return found if isinstance(found, int) else 1


def _claim_status(claim: Object) -> str:
    return "Terminating" if objects.deleting(claim) else text(objects.status(claim).get("phase"))


def _modes(part: str) -> Any:
    def read(obj: Object) -> str:
        found = sequence(mapping(obj.get(part)).get("accessModes"))
        return joined((_MODES.get(m, m) for m in found if isinstance(m, str)), "")

    return read


def _volume_claim(volume: Object) -> str:
    found = mapping(objects.spec(volume).get("claimRef"))
    return f"{found.get('namespace')}/{found.get('name')}" if found else ""


def _quota(prefix: str) -> Any:
    def read(quota: Object) -> str:
        hard, used = (mapping(objects.status(quota).get(part)) for part in ("hard", "used"))
        return ", ".join(
            f"{k}: {used.get(k, '0')}/{v}"
            for k, v in sorted((hard or mapping(objects.spec(quota).get("hard"))).items())
            if k.startswith("limits.") is (prefix == "limits.")
        )

    return read


def _default_class(item: Object) -> str:
    mark = " (default)" if objects.annotations(item).get(names.DEFAULT_STORAGE_CLASS) == "true" else ""
    return objects.name(item) + mark


COLUMNS: dict[str, Columns] = {
    "Namespace": (NAME, column("Status", at("status", "phase")), AGE),
    "Node": (
        NAME,
        column("Status", _node_status),
        column("Roles", _roles),
        AGE,
        column("Version", at("status", "nodeInfo", "kubeletVersion")),
        column("Internal-IP", _address("InternalIP"), wide=True),
        column("External-IP", _address("ExternalIP"), wide=True),
        column("OS-Image", _info("osImage"), wide=True),
        column("Kernel-Version", _info("kernelVersion"), wide=True),
        column("Container-Runtime", _info("containerRuntimeVersion"), wide=True),
    ),
    "ConfigMap": (NAME, column("Data", _keys("data", "binaryData")), AGE),
    "Secret": (NAME, column("Type", at("type")), column("Data", _keys("data")), AGE),
    "ServiceAccount": (NAME, AGE),
    "Event": (
        Column("Last Seen", _last_seen),
        column("Type", at("type")),
        column("Reason", at("reason")),
        column("Object", _involved),
        column("Subobject", _subobject, wide=True),
        column("Source", _source, wide=True),
        column("Message", lambda e: text(e.get("message") or e.get("note")).strip()),
        since("First Seen", lambda e: _first_of(e, "firstTimestamp", "eventTime"), wide=True),
        column("Count", _count, wide=True),
        Column("Name", lambda obj, now: objects.name(obj), "string", "name", 1),
    ),
    "PersistentVolumeClaim": (
        NAME,
        column("Status", _claim_status),
        column("Volume", at("spec", "volumeName")),
        column("Capacity", at("status", "capacity", "storage")),
        column("Access Modes", _modes("status")),
        column("StorageClass", at("spec", "storageClassName")),
        column("VolumeAttributesClass", at("spec", "volumeAttributesClassName", default=UNKNOWN)),
        AGE,
        column("VolumeMode", at("spec", "volumeMode"), wide=True),
    ),
    "PersistentVolume": (
        NAME,
        column("Capacity", at("spec", "capacity", "storage")),
        column("Access Modes", _modes("spec")),
        column("Reclaim Policy", at("spec", "persistentVolumeReclaimPolicy")),
        column("Status", _claim_status),
        column("Claim", _volume_claim),
        column("StorageClass", at("spec", "storageClassName")),
        column("VolumeAttributesClass", at("spec", "volumeAttributesClassName", default="<unset>")),
        column("Reason", at("status", "reason")),
        AGE,
        column("VolumeMode", at("spec", "volumeMode"), wide=True),
    ),
    "ResourceQuota": (NAME, column("Request", _quota("")), column("Limit", _quota("limits.")), AGE),
    "LimitRange": (NAME, column("Created At", at("metadata", "creationTimestamp"))),
    "Lease": (NAME, column("Holder", at("spec", "holderIdentity")), AGE),
    "PriorityClass": (
        NAME,
        column("Value", at("value", default=0)),
        column("Global-Default", at("globalDefault", default=False), type_="boolean"),
        AGE,
        column("PreemptionPolicy", at("preemptionPolicy")),
    ),
    "StorageClass": (
        Column("Name", lambda obj, now: _default_class(obj), "string", "name"),
        column("Provisioner", at("provisioner")),
        column("ReclaimPolicy", at("reclaimPolicy", default="Delete")),
        column("VolumeBindingMode", at("volumeBindingMode", default="Immediate")),
        column("AllowVolumeExpansion", at("allowVolumeExpansion", default=False)),
        AGE,
    ),
    "CustomResourceDefinition": (NAME, column("Created At", at("metadata", "creationTimestamp"))),
    "APIService": (
        NAME,
        column("Service", lambda o: "Local"),
        column("Available", lambda o: objects.condition(o, "Available") or "True"),
        AGE,
    ),
    "ReplicationController": (
        NAME,
        column("Desired", at("spec", "replicas", default=0)),
        column("Current", at("status", "replicas", default=0)),
        column("Ready", at("status", "readyReplicas", default=0)),
        AGE,
        column("Selector", lambda o: labels(mapping(objects.spec(o).get("selector"))), wide=True),
    ),
}
