"""Whether a pod may be evicted: what its disruption budget says.

In: a pod, the PodDisruptionBudgets of its namespace as they are stored, the time.
Out: a ``Decision``: the budget with what the eviction takes from it, to be written first, or a refusal.
Called by the API server for ``pods/eviction``, in one transaction with the deletion, so that two evictions
cannot take the same disruption.
Specification: https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from switchboard.api import selectors
from switchboard.api.errors import ApiError, Cause, Forbidden, ServerFault, TooManyRequests
from switchboard.api.metadata import timestamp
from switchboard.k8s import objects
from switchboard.k8s.objects import Object, mapping, whole

ALLOWED = "DisruptionAllowed"
SUFFICIENT, INSUFFICIENT, SYNC_FAILED = "SufficientPods", "InsufficientPods", "SyncFailed"
VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
MAX_DISRUPTED = 2000  # pods whose deletion was allowed and has not been seen
_PROCESSING_SECONDS = 10


class Decision(msgspec.Struct, frozen=True):
    """The answer: with ``refusal`` nothing may happen.

    Otherwise the pod may be deleted, once the status of ``budget`` is stored (None: no budget is touched).
    """

    refusal: ApiError | None = None
    budget: Object | None = None


def covers(budget: Object, pod: Object) -> bool:
    """Whether a budget is about a pod: same namespace, selected; an empty selector selects every pod."""
    if objects.namespace(budget) != objects.namespace(pod):
        return False
    selector = selectors.from_object(objects.spec(budget).get("selector"))
    return selector is not None and selectors.matches(selector, objects.labels(pod))


def decide(pod: Object, budgets: Iterable[Object], now: datetime) -> Decision:
    """Whether the pod may be evicted now; see the module."""
    if objects.status(pod).get("phase") in ("Succeeded", "Failed", "Pending") or objects.deleting(pod):
        # Such a pod is no use to anybody, or goes already.
        return Decision()
    covering = [budget for budget in budgets if covers(budget, pod)]
    if len(covering) > 1:
        told = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        return Decision(ServerFault(told))
    if not covering or _unready_allowed(pod, covering[0]):
        return Decision()
    refusal = _refusal(covering[0])
    return Decision(refusal) if refusal else Decision(budget=_taken(covering[0], pod, now))


def _unready_allowed(pod: Object, budget: Object) -> bool:
    """A pod that is not ready costs nothing, if the policy says so: always, or while the others suffice."""
    if objects.condition(pod, "Ready") == "True":
        return False
    if objects.spec(budget).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = objects.status(budget)
    return whole(status.get("currentHealthy")) >= whole(status.get("desiredHealthy")) > 0


def _refusal(budget: Object) -> ApiError | None:
    status, name = objects.status(budget), objects.name(budget)
    if whole(status.get("observedGeneration")) < whole(objects.metadata(budget).get("generation")):
        return _too_many(f"The disruption budget {name} is still being processed by the server.", _PROCESSING_SECONDS)
    allowed = whole(status.get("disruptionsAllowed"))
    if allowed < 0:
        return Forbidden("pdb disruptions allowed is negative", resource="poddisruptionbudgets", name=name)
    if len(mapping(status.get("disruptedPods"))) > MAX_DISRUPTED:
        told = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        return Forbidden(told, resource="poddisruptionbudgets", name=name)
    if allowed:
        return None
    condition = next((c for c in objects.conditions(budget) if c.get("type") == ALLOWED), {})
    if condition.get("reason") == SYNC_FAILED:
        why = condition.get("message")
        return _too_many(
            f"The disruption budget {name} does not allow evicting pods currently because it failed sync: {why}"
        )
    healthy, wanted = whole(status.get("currentHealthy")), whole(status.get("desiredHealthy"))
    return _too_many(f"The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently")


def _too_many(why: str, retry_after: int = 0) -> TooManyRequests:
    return TooManyRequests(VIOLATES, causes=[Cause("DisruptionBudget", why)], retry_after=retry_after)


def _taken(budget: Object, pod: Object, now: datetime) -> Object:
    """The budget with one disruption less and the pod noted as disrupted, until its deletion is seen."""
    status = objects.status(budget)
    left = whole(status.get("disruptionsAllowed")) - 1
    disrupted = {**mapping(status.get("disruptedPods")), objects.name(pod): timestamp(now)}
    taken = {**status, "disruptionsAllowed": left, "disruptedPods": disrupted}
    taken["conditions"] = conditions(budget, allowed=left > 0, now=now)
    return {**budget, "status": taken}


def conditions(budget: Object, *, allowed: bool, now: datetime, failure: str = "") -> list[dict[str, Any]]:
    """The budget's conditions with ``DisruptionAllowed`` set; its transition time moves only when its status does."""
    kept = list(objects.conditions(budget))
    old = next((c for c in kept if c.get("type") == ALLOWED), {})
    value = "True" if allowed else "False"
    condition: dict[str, Any] = {
        "type": ALLOWED,
        "status": value,
        "observedGeneration": whole(objects.metadata(budget).get("generation")),
        "lastTransitionTime": old.get("lastTransitionTime") if old.get("status") == value else timestamp(now),
        "reason": SYNC_FAILED if failure else SUFFICIENT if allowed else INSUFFICIENT,
        "message": failure,
    }
    return [condition if c is old else c for c in kept] if old else [*kept, condition]
