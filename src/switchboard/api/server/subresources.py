"""Subresources that are no part of their object: scale, eviction, binding, token.

In: a request for one of them.  Out: the Scale, Status or TokenRequest that answers it.
Called by the router.
Specification: autoscaling/v1 Scale, policy/v1 Eviction, v1 Binding, authentication.k8s.io/v1 TokenRequest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from switchboard.api import errors, eviction
from switchboard.api.crds.custom import CustomKind
from switchboard.api.errors import BadRequest, Cause, Invalid
from switchboard.api.metadata import timestamp
from switchboard.api.server import content, options, patching
from switchboard.api.server.request import Request, Target
from switchboard.api.server.resources import Resource
from switchboard.api.server.writes import Written
from switchboard.api.store import BINDING, Store
from switchboard.k8s import names, objects
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object, mapping, metadata, sequence, text

SCALE: Final = Kind(group=names.AUTOSCALING, version="v1", kind="Scale", plural="scales", singular="scale")
SHORTEST: Final = timedelta(minutes=10)
_LONGEST: Final = 1 << 32
_DEFAULT_SECONDS: Final = 3600
# Signs claims: ServiceAccount, audiences, end, the object that the token is bound to.
Signer = Callable[[Object, Sequence[str], datetime, Object], str]


class Subresources:
    """Answers them over one store; ``sign`` makes tokens."""

    def __init__(self, store: Store, sign: Signer | None) -> None:
        self._store = store
        self._sign = sign

    def get_scale(self, target: Target, resource: Resource) -> Object:
        """The Scale of a workload."""
        return scale_of(self._store.get(resource.kind.key, target.namespace, target.name), resource.kind)

    def write_scale(self, request: Request, target: Target, resource: Resource) -> Written:
        """PUT or PATCH of a Scale."""
        settings = options.write_options(request, "UpdateOptions" if request.method == "PUT" else "PatchOptions")
        with self._store.transaction(dry_run=settings.dry_run):
            old = self._store.get(resource.kind.key, target.namespace, target.name)
            if request.method == "PUT":
                wanted = content.body_of(request, SCALE.kind).value
            else:
                type_ = content.patch_type(request)
                wanted = patching.patched(
                    type_, scale_of(old, resource.kind), content.patch_of(request, type_).value, SCALE
                )
            if not isinstance(wanted, dict) or not isinstance(wanted.get("spec") or {}, dict):
                raise BadRequest("the body is not a Scale")
            replicas = mapping(wanted.get("spec")).get("replicas", 0)
            if not isinstance(replicas, int) or isinstance(replicas, bool):
                raise BadRequest("spec.replicas is not a number")
            if replicas < 0:
                why = f"Invalid value: {replicas}: must be greater than or equal to 0"
                raise _refused(SCALE, target.name, Cause("FieldValueInvalid", why, "spec.replicas"))
            new = _with_replicas(old, resource.kind, replicas)
            sent = text(metadata(wanted).get("resourceVersion"))
            if sent:
                new["metadata"]["resourceVersion"] = sent
            kind, now = resource.kind, self._store.clock()
            new = patching.owned(new, old, kind, "scale", settings, request, now)
            return Written(scale_of(self._store.update(new), kind))

    def bind(self, request: Request, namespace: str, name: str) -> Object:
        """A Pod's node, chosen by a scheduler."""
        settings = options.write_options(request, "CreateOptions")
        body = mapping(content.body_of(request, "Binding").value)
        name = name or text(metadata(body).get("name"))
        node = text(mapping(body.get("target")).get("name"))
        if not node:
            kind = Kind(group="", version="v1", kind="Binding", plural="bindings", singular="binding")
            raise _refused(kind, name, Cause("FieldValueRequired", "Required value", "target.name"))
        with self._store.transaction(dry_run=settings.dry_run):
            pod = self._store.get("Pod", namespace, name)
            now = timestamp(self._store.clock())
            scheduled = {
                "type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now,
                "observedGeneration": metadata(pod).get("generation", 1),
            }  # fmt: skip
            conditions = [c for c in objects.conditions(pod) if c.get("type") != "PodScheduled"]
            status = {**objects.status(pod), "conditions": [*conditions, scheduled]}
            self._store.update({**pod, "spec": {"nodeName": node}, "status": status}, subresource=BINDING)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}

    def evict(self, request: Request, target: Target) -> Object:
        """A Pod's deletion, unless a disruption budget forbids it (429)."""
        settings = options.write_options(request, "CreateOptions")
        body = mapping(content.body_of(request, "Eviction").value)
        wanted = options.delete_options(request, mapping(body.get("deleteOptions")))
        with self._store.transaction(dry_run=settings.dry_run or wanted.dry_run):
            pod = self._store.get("Pod", target.namespace, target.name)
            self._check_budgets(pod)
            self._store.delete(
                "Pod", target.namespace, target.name, uid=wanted.uid, resource_version=wanted.resource_version,
                grace_period_seconds=wanted.grace_period,
            )  # fmt: skip
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}

    def _check_budgets(self, pod: Object) -> None:
        budgets = self._store.list("PodDisruptionBudget", objects.namespace(pod))[0]
        decision = eviction.decide(pod, budgets, self._store.clock())
        if decision.refusal is not None:
            raise decision.refusal
        if decision.budget is not None:
            self._store.update_status(decision.budget)

    def token(self, request: Request, target: Target) -> Object:
        """A token of a ServiceAccount."""
        options.write_options(request, "CreateOptions")
        body = mapping(content.body_of(request, "TokenRequest").value)
        account = self._store.get("ServiceAccount", target.namespace, target.name)
        spec = mapping(body.get("spec"))
        seconds = spec.get("expirationSeconds") or _DEFAULT_SECONDS
        if not isinstance(seconds, int):
            raise BadRequest("spec.expirationSeconds is not a number")
        kind = Kind(
            group=names.AUTHENTICATION,
            version="v1",
            kind="TokenRequest",
            plural="tokenrequests",
            singular="tokenrequest",
        )
        if seconds < SHORTEST.total_seconds() or seconds > _LONGEST:
            short = seconds < SHORTEST.total_seconds()
            why = "may not specify a duration " + ("less than 10 minutes" if short else "larger than 2^32 seconds")
            cause = Cause("FieldValueInvalid", f"Invalid value: {seconds}: {why}", "spec.expirationSeconds")
            raise _refused(kind, "", cause)
        if self._sign is None:
            raise errors.NotFound("the server could not find the requested resource")
        bound = self._bound(mapping(spec.get("boundObjectRef")), target.namespace)
        audiences = [text(a) for a in sequence(spec.get("audiences"))] or [names.TOKEN_ISSUER]
        end = self._store.clock() + timedelta(seconds=seconds)
        token = self._sign(account, audiences, end, bound)
        meta = {"name": target.name, "namespace": target.namespace, "creationTimestamp": timestamp(self._store.clock())}
        shown = {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": spec.get("boundObjectRef")}
        return {
            "kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta, "spec": shown,
            "status": {"token": token, "expirationTimestamp": timestamp(end)},
        }  # fmt: skip

    def _bound(self, reference: dict[str, Any], namespace: str) -> Object:
        kind = text(reference.get("kind"))
        if not kind:
            return {}
        if kind not in ("Pod", "Secret", "Node"):
            raise BadRequest(f"cannot bind a token to a {kind}")
        found = self._store.get(kind, "" if kind == "Node" else namespace, text(reference.get("name")))
        if text(reference.get("uid")) not in ("", objects.uid(found)):
            why = "the UID in the bound object reference does not match the UID in record"
            raise errors.Conflict(why, resource="serviceaccounts", name=objects.name(found))
        return found


def _with_replicas(old: Object, kind: Kind, replicas: int) -> Object:
    if isinstance(kind, CustomKind):
        new = kind.with_replicas(kind.read(old), replicas)
        return {**new, "metadata": {**metadata(old)}}
    return {**old, "spec": {**objects.spec(old), "replicas": replicas}, "metadata": {**metadata(old)}}


def scale_of(obj: Object, kind: Kind) -> Object:
    """The Scale of a workload: its replicas and the selector of its pods as text."""
    if isinstance(kind, CustomKind):
        replicas, observed, told = kind.scaled(kind.read(obj))
        return _scale(obj, replicas, {"replicas": observed, **({"selector": told} if told else {})})
    spec, status = objects.spec(obj), objects.status(obj)
    selector = spec.get("selector")
    if objects.kind(obj) == "ReplicationController":
        selector = {"matchLabels": mapping(selector)}
    shown: dict[str, Any] = {"replicas": status.get("replicas", 0)}
    told = selector_text(selector)
    if told:
        shown["selector"] = told
    return _scale(obj, spec.get("replicas", 0), shown)


def _scale(obj: Object, replicas: Any, shown: dict[str, Any]) -> Object:
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.api_version,
        "metadata": {k: metadata(obj)[k] for k in kept if k in metadata(obj)},
        "spec": {"replicas": replicas} if replicas else {},
        "status": shown,
    }


def selector_text(selector: object) -> str:
    """A LabelSelector in its string form."""
    found = mapping(selector)
    terms = [f"{k}={v}" for k, v in sorted(mapping(found.get("matchLabels")).items())]
    for expression in sequence(found.get("matchExpressions")):
        term = mapping(expression)
        key, values = term.get("key"), ",".join(sorted(map(str, sequence(term.get("values")))))
        shape = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "DoesNotExist": f"!{key}"}
        terms.append(shape.get(text(term.get("operator")), str(key)))
    return ",".join(terms)


def _refused(kind: Kind, name: str, cause: Cause) -> Invalid:
    return errors.invalid(kind, name, [cause])


def status_of_deletion(kind: Kind, obj: Object) -> Object:
    """What a deletion is answered with when the object is gone."""
    details: dict[str, Any] = {"name": objects.name(obj)}
    if kind.group:
        details["group"] = kind.group
    details |= {"kind": kind.plural, "uid": objects.uid(obj)}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def list_of_deleted(kind: Kind, found: list[Object], version: int) -> Object:
    """What a deletion of a collection is answered with."""
    items = [{k: v for k, v in obj.items() if k not in ("kind", "apiVersion")} for obj in found]
    meta = {"resourceVersion": str(version)}
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta, "items": items}
