"""The admission of the API server: structure, defaults, allocation, validation; and what a cluster starts with.

In: objects on their way into the store.  Out: the same objects completed, or an ``ApiError``.
Given to ``Store`` by the composition root; at its start it makes the objects that every cluster has.
Specification: https://kubernetes.io/docs/concepts/overview/kubernetes-api/
The order is that of kube-apiserver: structure, defaults, allocation, validation.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from switchboard.api import allocation, errors, pods, services
from switchboard.api.errors import Cause
from switchboard.api.store import BINDING, FINALIZE, Store
from switchboard.base.findings import Severity
from switchboard.k8s import names, objects, schemas
from switchboard.k8s.defaults import default
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object
from switchboard.k8s.shapes import shape
from switchboard.k8s.validation import validate

SYSTEM_NAMESPACES = (
    names.DEFAULT_NAMESPACE,
    names.SYSTEM_NAMESPACE,
    names.PUBLIC_NAMESPACE,
    names.NODE_LEASE_NAMESPACE,
)
API_SERVICE = "kubernetes"
_INDEX = re.compile(r"\[\d+\]")
_STATUS_DEFAULTS = ("Service", "Node", "Pod")
_NOT_DECODABLE = ("wrong-type", "unknown-kind")


class KubernetesAdmission:
    """Rules of the Kubernetes API for every kind that we serve.

    Args:
        service_cidrs: the ranges of Service addresses, one or two of different families, the default family first;
            raises ValueError for a range that cannot serve (an IPv6 range shorter than /64).
    """

    def __init__(self, service_cidrs: Sequence[str] = ("10.96.0.0/12",)) -> None:
        self._cidrs = [ipaddress.ip_network(text) for text in service_cidrs]
        for network in self._cidrs:
            if network.version == 6 and network.prefixlen < 64:
                raise ValueError(f"{network} is too large for Services: an IPv6 range has a prefix of 64 or more")

    def start(self, store: Store) -> None:
        """Make what every cluster has and this one lacks: namespaces, the ServiceCIDR, the Service ``kubernetes``."""
        for name in SYSTEM_NAMESPACES:
            if store.find("Namespace", "", name) is None:
                store.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        if store.find("ServiceCIDR", "", API_SERVICE) is None:
            store.create(
                {
                    "apiVersion": f"{names.NETWORKING}/v1",
                    "kind": "ServiceCIDR",
                    "metadata": {"name": API_SERVICE},
                    "spec": {"cidrs": [str(network) for network in self._cidrs]},
                }
            )
        if store.find("Service", names.DEFAULT_NAMESPACE, API_SERVICE) is None:
            store.create(_api_service(self._cidrs[0]))

    def create(self, store: Store, kind: Kind, obj: Object) -> None:
        """Complete and check a new object."""
        _decode(kind, obj)
        _own_once(store, obj)
        check_namespace(store, kind, obj)
        _default(obj)
        if kind.kind == services.KIND:
            services.omit_empty(obj)
            services.create(store, obj)
        elif kind.kind == "Namespace":
            obj["spec"] = {"finalizers": [names.NAMESPACE_FINALIZER]}
            obj["status"] = {"phase": "Active"}
        elif kind.kind == "Pod":
            pods.complete(store, obj)
        _prepare(store, kind, obj)
        _validate(store, kind, obj, None)
        if kind.kind == services.KIND:
            services.finish(obj)
        elif kind.kind == "Job":
            _select_own_pods(obj)
        shape(obj)

    def update(self, store: Store, kind: Kind, new: Object, old: Object, subresource: str) -> None:
        """Complete and check a changed object; a subresource that changes no spec skips the defaults."""
        if subresource in (BINDING, FINALIZE):
            # These change what an ordinary update may not, and nothing else.
            shape(new)
            return
        if not subresource:
            _decode(kind, new)
            _own_once(store, new)
        if not subresource or kind.kind in _STATUS_DEFAULTS:
            _default(new)
        if kind.kind == services.KIND and not subresource:
            services.omit_empty(new)
            services.update(store, new, old)
        if kind.kind == "DaemonSet":
            _count_templates(new, old)
        _validate(store, kind, new, old)
        if kind.kind == services.KIND:
            services.finish(new)
        shape(new)

    def deleted(self, store: Store, kind: Kind, old: Object) -> None:
        """Release what an object held."""
        if kind.kind == services.KIND:
            services.delete(store, old)


def _select_own_pods(job: Object) -> None:
    """Unless it selects by hand, a Job selects by its own uid, and its template carries that label."""
    spec = objects.spec(job)
    template = objects.mapping(spec.get("template"))
    if spec.get("manualSelector") is True or not template:
        return
    uid = objects.uid(job)
    meta = template["metadata"] = objects.metadata(template)
    meta["labels"] = {
        **objects.labels(template),
        names.JOB_UID_LABEL: uid,
        names.OLD_JOB_UID_LABEL: uid,
        names.JOB_NAME_LABEL: objects.name(job),
        names.OLD_JOB_NAME_LABEL: objects.name(job),
    }
    if spec.get("selector") is None:
        spec["selector"] = {"matchLabels": {names.JOB_UID_LABEL: uid}}
    own = objects.metadata(job)
    if not own.get("labels"):
        own["labels"] = {**meta["labels"]}


def _own_once(store: Store, obj: Object) -> None:
    """An owner that is named twice is kept once, and its writer is told."""
    owners = objects.owners(obj)
    kept = [o for i, o in enumerate(owners) if o not in owners[:i]]
    if len(kept) < len(owners):
        obj["metadata"]["ownerReferences"] = kept
        store.warnings.append(".metadata.ownerReferences contains duplicate entries; they are removed")


def _prepare(store: Store, kind: Kind, obj: Object) -> None:
    """What else the server adds to new objects of some kinds."""
    meta = obj["metadata"] = objects.metadata(obj)
    if kind.kind == "DaemonSet":
        meta["annotations"] = {**objects.annotations(obj), names.DAEMONSET_TEMPLATE_GENERATION: "1"}
    elif kind.kind == "Ingress" and not objects.spec(obj).get("ingressClassName"):
        _choose_class(store, obj)
    elif kind.kind in ("PersistentVolumeClaim", "PersistentVolume"):
        protection = names.PVC_PROTECTION if kind.kind == "PersistentVolumeClaim" else names.PV_PROTECTION
        if protection not in objects.finalizers(obj):
            meta["finalizers"] = [*objects.finalizers(obj), protection]
    elif kind.kind == "Node":
        obj["spec"] = objects.spec(obj)
        taints = objects.sequence(obj["spec"].get("taints"))
        if not any(objects.mapping(t).get("key") == names.NOT_READY_TAINT for t in taints):
            obj["spec"]["taints"] = [*taints, {"key": names.NOT_READY_TAINT, "effect": "NoSchedule"}]


def _choose_class(store: Store, ingress: Object) -> None:
    """The default class, the newest when there are several; the old annotation is a choice as well."""
    if names.INGRESS_CLASS_ANNOTATION in objects.annotations(ingress):
        return
    classes = [
        c for c in store.list("IngressClass")[0] if objects.annotations(c).get(names.DEFAULT_INGRESS_CLASS) == "true"
    ]
    if classes:
        newest = max(objects.text(objects.metadata(c).get("creationTimestamp")) for c in classes)
        named = [objects.name(c) for c in classes if objects.metadata(c).get("creationTimestamp") == newest]
        ingress["spec"] = {"ingressClassName": min(named), **objects.spec(ingress)}


def _count_templates(new: Object, old: Object) -> None:
    """A DaemonSet counts the changes of its template in an annotation."""
    before = objects.annotations(old).get(names.DAEMONSET_TEMPLATE_GENERATION, "1")
    changed = objects.spec(new).get("template") != objects.spec(old).get("template")
    count = int(before) + changed if before.isdecimal() else 1
    new["metadata"]["annotations"] = {**objects.annotations(new), names.DAEMONSET_TEMPLATE_GENERATION: str(count)}


def _default(obj: Object) -> None:
    completed = default(obj)
    obj.clear()
    obj.update(completed)


def _decode(kind: Kind, obj: Object) -> None:
    """Refuse what kube-apiserver could not decode; drop nulls. Missing fields are left to validation."""
    for field in ("labels", "annotations"):
        found = objects.metadata(obj).get(field)
        if isinstance(found, dict):
            obj["metadata"][field] = {k: "" if v is None else v for k, v in found.items()}
    if isinstance(obj.get("spec"), dict):
        _drop_nulls(obj["spec"])
    wrong = [f for f in schemas.check(obj) if f.severity is Severity.ERROR and f.reference in _NOT_DECODABLE]
    if wrong:
        told = "; ".join(f"{f.field}: {f.message}" if f.field else f.message for f in wrong)
        raise errors.BadRequest(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {told}',
            resource=kind.plural,
            group=kind.group,
            findings=wrong,
        )


def _drop_nulls(value: Any) -> None:
    """A null in a mapping is a field that is not there."""
    if isinstance(value, dict):
        for key in [k for k, v in value.items() if v is None]:
            del value[key]
        for item in value.values():
            _drop_nulls(item)
    elif isinstance(value, list):
        for item in value:
            _drop_nulls(item)


def check_namespace(store: Store, kind: Kind, obj: Object) -> None:
    """Raises NotFound or Forbidden unless the namespace of a new object is there and stays."""
    if not kind.namespaced:
        return
    namespace = objects.namespace(obj)
    found = store.find("Namespace", "", namespace)
    if found is None:
        raise errors.NotFound(f'namespaces "{namespace}" not found', resource="namespaces", name=namespace)
    if objects.deleting(found):
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        cause = Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
        raise errors.forbidden(kind, objects.name(obj), why, [cause])


def _validate(store: Store, kind: Kind, obj: Object, old: Object | None) -> None:
    judged = validate(obj, old)
    found = [f for f in judged if f.severity is Severity.ERROR]
    if old is None:
        # Kinds without rules of their own still have required fields.
        told = [_INDEX.sub("", f.field) for f in found]
        found += [
            f
            for f in schemas.check(obj)
            if f.reference == "field-required" and not any(t.startswith(_INDEX.sub("", f.field)) for t in told)
        ]
    if found:
        raise errors.invalid(kind, objects.name(obj), errors.causes_of(found), found)
    store.warnings += [f"{f.message} {f.hint}" for f in judged if f.severity is Severity.WARNING]


def _api_service(network: allocation.Network) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": API_SERVICE,
            "namespace": names.DEFAULT_NAMESPACE,
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": str(network.network_address + 1),
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
        },
    }
