"""Which parts of a request an endpoint honours: the object itself, its status, a Namespace's finalizers, a binding.

In: an object as sent and as stored.  Out: a new object that takes from each what the endpoint says.
Called by ``store``.
Specification: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
"""

from __future__ import annotations

from switchboard.api import errors
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object, mapping, metadata, sequence, spec, text

STATUS, FINALIZE, BINDING = "status", "finalize", "binding"
EPHEMERAL_CONTAINERS, RESIZE = "ephemeralcontainers", "resize"


def select(kind: Kind, sent: Object, old: Object, subresource: str) -> Object:
    """The parts of a request that its endpoint honours, the rest as stored."""
    if subresource == FINALIZE:
        wanted = sequence(spec(sent).get("finalizers"))
        return {**old, "metadata": {**metadata(old)}, "spec": {"finalizers": wanted} if wanted else {}}
    if subresource == BINDING:
        if spec(old).get("nodeName"):
            name = text(metadata(old).get("name"))
            raise errors.conflict(kind, name, f'pod {name} is already assigned to node "{spec(old)["nodeName"]}"')
        bound = {**spec(old), "nodeName": spec(sent).get("nodeName")}
        return {**old, "metadata": {**metadata(old)}, "spec": bound, "status": mapping(sent.get("status"))}
    if subresource in (EPHEMERAL_CONTAINERS, RESIZE):
        return _select_containers(sent, old, subresource)
    if subresource:
        meta = metadata(sent)
        if kind.custom:
            kept = ("resourceVersion", "managedFields")
            meta = {**metadata(old), **{k: v for k, v in meta.items() if k in kept}}
        return {**old, "metadata": meta, "status": mapping(sent.get("status"))}
    new = sent
    if kind.status_subresource:
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    if kind.kind == "Namespace":
        new["spec"] = old.get("spec", {})
    return new


def _select_containers(sent: Object, old: Object, subresource: str) -> Object:
    """Of a Pod: the containers that were attached to it while it runs, or the resources of those that it has."""
    kept = {**spec(old)}
    if subresource == EPHEMERAL_CONTAINERS:
        kept["ephemeralContainers"] = sequence(spec(sent).get("ephemeralContainers"))
    else:
        wanted = {mapping(c).get("name"): mapping(c) for c in sequence(spec(sent).get("containers"))}
        kept["containers"] = [
            {**c, **{k: v for k, v in wanted.get(c.get("name"), {}).items() if k in ("resources", "resizePolicy")}}
            for c in sequence(spec(old).get("containers"))
        ]
    return {**old, "metadata": {**metadata(old)}, "spec": kept}
