from datetime import UTC, datetime

import pytest

from switchboard.api import eviction

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def pod(phase="Running", ready="True", **metadata):
    meta = {"name": "p", "namespace": "default", "labels": {"app": "web"}, **metadata}
    return {"metadata": meta, "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}}


def budget(allowed=1, *, name="b", healthy=3, wanted=2, selector=None, observed=1, spec=None, **status):
    return {
        "metadata": {"name": name, "namespace": "default", "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": "web"}} if selector is None else selector, **(spec or {})},
        "status": {"observedGeneration": observed, "disruptionsAllowed": allowed, "currentHealthy": healthy,
                   "desiredHealthy": wanted, **status},
    }  # fmt: skip


def test_without_a_budget_everything_may_go():
    assert eviction.decide(pod(), [], NOW) == eviction.Decision()
    other = budget(0, selector={"matchLabels": {"app": "other"}})
    elsewhere = budget(0)
    elsewhere["metadata"]["namespace"] = "far"
    assert eviction.decide(pod(), [other, elsewhere], NOW) == eviction.Decision()


def test_an_eviction_takes_a_disruption():
    stored = budget(2)
    decision = eviction.decide(pod(), [stored], NOW)
    assert decision.refusal is None
    assert decision.budget["status"]["disruptionsAllowed"] == 1
    assert decision.budget["status"]["disruptedPods"] == {"p": "2026-11-23T12:00:00Z"}
    assert decision.budget["status"]["conditions"][0]["status"] == "True"
    assert stored == budget(2)


def test_the_last_disruption_ends_the_permission():
    (condition,) = eviction.decide(pod(), [budget(1)], NOW).budget["status"]["conditions"]
    assert condition == {
        "type": "DisruptionAllowed",
        "status": "False",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-11-23T12:00:00Z",
        "reason": "InsufficientPods",
        "message": "",
    }


@pytest.mark.parametrize(
    ("stored", "code", "why", "retry"),
    [
        (budget(0, healthy=2), 429, "The disruption budget b needs 2 healthy pods and has 2 currently", 0),
        (budget(1, observed=0), 429, "The disruption budget b is still being processed by the server.", 10),
        (
            budget(0, conditions=[{"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed",
                                   "message": "no size"}]),
            429, "The disruption budget b does not allow evicting pods currently because it failed sync: no size", 0,
        ),
        (budget(-1), 403, None, 0),
        (budget(1, disruptedPods={str(i): "" for i in range(2001)}), 403, None, 0),
    ],
)  # fmt: skip
def test_refusals(stored, code, why, retry):
    decision = eviction.decide(pod(), [stored], NOW)
    assert decision.budget is None
    assert (decision.refusal.code, decision.refusal.retry_after) == (code, retry)
    causes = [(c.reason, c.message) for c in decision.refusal.causes]
    assert causes == ([("DisruptionBudget", why)] if why else [])
    if why:
        assert decision.refusal.message == "Cannot evict pod as it would violate the pod's disruption budget."


def test_two_budgets_are_too_many():
    refusal = eviction.decide(pod(), [budget(), budget(name="c", selector={})], NOW).refusal
    assert (refusal.code, "more than one PodDisruptionBudget" in refusal.message) == (500, True)


@pytest.mark.parametrize(
    "gone", [pod("Succeeded"), pod("Failed"), pod("Pending"), pod(deletionTimestamp="2026-11-23T12:00:00Z")]
)
def test_pods_that_are_no_use_may_always_go(gone):
    assert eviction.decide(gone, [budget(0)], NOW) == eviction.Decision()


@pytest.mark.parametrize(
    ("policy", "healthy", "allowed"),
    [("AlwaysAllow", 0, True), ("IfHealthyBudget", 2, True), ("IfHealthyBudget", 1, False), (None, 2, True)],
)
def test_a_pod_that_is_not_ready(policy, healthy, allowed):
    spec = {"unhealthyPodEvictionPolicy": policy} if policy else {}
    decision = eviction.decide(pod(ready="False"), [budget(0, healthy=healthy, spec=spec)], NOW)
    assert (decision.refusal is None, decision.budget) == (allowed, None)
