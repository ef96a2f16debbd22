"""ControllerRevisions: every pod template that a StatefulSet or DaemonSet has had, for its history and its rollback.

In: a workload and its revisions.  Out: the revision of its present template, operations that record it.
Called by the controllers statefulset and daemonset.
Specification: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/controller-revision-v1/
``kubectl rollout undo`` applies a revision's data to its workload as a strategic merge patch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from switchboard.api.metadata import clone
from switchboard.controllers import _pods
from switchboard.controllers._contract import Create, Delete, Operation, Update
from switchboard.controllers._snapshot import Snapshot
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping

KIND = "ControllerRevision"


class History(msgspec.Struct, frozen=True):
    """The revisions of one workload.

    ``name`` and ``digest`` are those of the present template; with ``collision`` another object has that name already
    and the workload's ``status.collisionCount`` is to grow before anything else is done.
    """

    name: str
    digest: str
    revisions: tuple[Object, ...]
    operations: tuple[Operation, ...] = ()
    collision: bool = False

    def template(self, name: str) -> dict[str, Any] | None:
        """The pod template of a revision, None for one that is not known."""
        return next((template_of(r) for r in self.revisions if objects.name(r) == name), None)


def template_of(revision: Object) -> dict[str, Any]:
    """The pod template that a revision keeps."""
    template = mapping(mapping(mapping(revision.get("data")).get("spec")).get("template"))
    return {k: v for k, v in template.items() if k != "$patch"}


def history(snapshot: Snapshot, owner: Object, hash_label: str) -> History:
    """The revisions of a workload, oldest first, and what records its present template.

    A template that the workload had before becomes its newest revision again.  ``hash_label`` bears the hash.
    """
    uid, template = objects.uid(owner), mapping(objects.spec(owner).get("template"))
    mine = [r for r in snapshot.owned(KIND, uid) if objects.controller(r).get("uid") == uid]
    mine.sort(key=lambda r: (_number(r), _pods.created(r), objects.name(r)))
    following = _number(mine[-1]) + 1 if mine else 1
    equal = [r for r in mine if template_of(r) == template]
    if equal:
        found = equal[-1]
        again = [] if found is mine[-1] else [Update({**found, "revision": following})]
        digest = objects.labels(found).get(hash_label) or objects.name(found).rpartition("-")[2]
        return History(objects.name(found), digest, tuple(mine), tuple(again))
    digest = _pods.template_hash(objects.spec(owner).get("template"), collisions(owner))
    name = f"{objects.name(owner)}-{digest}"
    if snapshot.get(KIND, objects.namespace(owner), name) is not None:
        return History(name, digest, tuple(mine), collision=True)
    created = _revision(owner, name, {hash_label: digest}, following)
    return History(name, digest, (*mine, created), (Create(created),))


def collisions(owner: Object) -> int:
    """``status.collisionCount``, 0 when there is none."""
    return _pods.integer(objects.status(owner).get("collisionCount"), 0)


def _number(revision: Object) -> int:
    return _pods.integer(revision.get("revision"), 0)


def _revision(owner: Object, name: str, labels: dict[str, str], number: int) -> Object:
    template = clone(mapping(objects.spec(owner).get("template")))
    kept = {k: v for k, v in objects.annotations(owner).items() if k != names.LAST_APPLIED}
    return {
        "apiVersion": f"{names.APPS}/v1",
        "kind": KIND,
        "metadata": {
            "name": name,
            "namespace": objects.namespace(owner),
            "labels": {**mapping(mapping(template.get("metadata")).get("labels")), **labels},
            **({"annotations": kept} if kept else {}),
            "ownerReferences": [objects.owner_reference(owner)],
        },
        "data": {"spec": {"template": {**template, "$patch": "replace"}}},
        "revision": number,
    }


def clean_up(owner: Object, past: History, live: Iterable[str]) -> list[Operation]:
    """Delete the oldest revisions beyond ``revisionHistoryLimit`` that no pod has; ``live`` are names in use."""
    limit = _pods.integer(objects.spec(owner).get("revisionHistoryLimit"), 10)
    used = {past.name, *live}
    unused = [r for r in past.revisions if objects.name(r) not in used and not objects.deleting(r)]
    doomed = unused[: max(0, len(unused) - limit)]
    return [Delete(KIND, objects.namespace(r), objects.name(r), objects.uid(r)) for r in doomed]
