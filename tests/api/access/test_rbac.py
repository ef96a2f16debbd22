import pytest

from switchboard.api.access.identity import User
from switchboard.api.access.rbac import Authorizer, covers
from switchboard.api.server.request import Target

ANN = User("ann", ("team",))


def role(name, *rules, kind="ClusterRole", **meta):
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name, **meta},
            "rules": list(rules)}  # fmt: skip


def bind(name, ref, subject, kind="ClusterRoleBinding", ref_kind="ClusterRole", **meta):
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name, **meta},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": ref_kind, "name": ref},
            "subjects": [subject]}  # fmt: skip


READ = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
TEAM = {"kind": "Group", "name": "team"}


@pytest.mark.parametrize(
    ("rule", "target", "expected"),
    [
        (READ, Target(verb="get", path="", resource="pods"), True),
        (READ, Target(verb="list", path="", resource="pods"), False),
        (READ, Target(verb="get", path="", resource="pods", group="apps"), False),
        (READ, Target(verb="get", path="", resource="pods", subresource="log"), False),
        ({**READ, "resources": ["*"]}, Target(verb="get", path="", resource="pods", subresource="log"), True),
        ({**READ, "resources": ["*/log"]}, Target(verb="get", path="", resource="pods", subresource="log"), True),
        ({**READ, "resources": ["*/log"]}, Target(verb="get", path="", resource="pods"), False),
        ({**READ, "resourceNames": ["p"]}, Target(verb="get", path="", resource="pods", name="p"), True),
        ({**READ, "resourceNames": ["p"]}, Target(verb="get", path="", resource="pods"), False),
        ({"verbs": ["get"], "nonResourceURLs": ["/a/*"]}, Target(verb="get", path="/a/b"), True),
        ({"verbs": ["get"], "nonResourceURLs": ["/a/*"]}, Target(verb="get", path="/a"), False),
        ({"verbs": ["get"], "nonResourceURLs": ["*"]}, Target(verb="get", path="/a"), True),
    ],
)
def test_what_a_rule_covers(rule, target, expected):
    assert covers(rule, target) is expected


def test_bindings_reach_as_far_as_they_are(open_store):
    store = open_store()
    authorizer = Authorizer(store)
    here = Target(verb="get", path="", resource="pods", namespace="n")
    assert not authorizer.decide(ANN, here).allowed
    store.create(role("r", READ))
    store.create(bind("b", "r", TEAM, kind="RoleBinding", namespace="n"))
    assert authorizer.decide(ANN, here).allowed
    assert not authorizer.decide(ANN, Target(verb="get", path="", resource="pods", namespace="m")).allowed
    assert not authorizer.decide(User("bob"), here).allowed
    store.delete("RoleBinding", "n", "b")
    assert not authorizer.decide(ANN, here).allowed


def test_a_missing_role_is_told_and_does_not_stop_the_others(open_store):
    store = open_store()
    store.create(bind("b", "none", TEAM))
    decision = Authorizer(store).decide(ANN, Target(verb="get", path="", resource="pods"))
    assert decision.reason == 'RBAC: clusterrole.rbac.authorization.k8s.io "none" not found'


def test_roles_are_aggregated(open_store):
    store = open_store()
    whole = role("whole")
    whole["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {"part": "yes"}}]}
    store.create(whole)
    store.create(role("part", READ, labels={"part": "yes"}))
    assert Authorizer(store).rules_of("ClusterRole", "", "whole") == (READ,)


def test_masters_need_no_role(open_store):
    assert Authorizer(open_store()).decide(User("x", ("system:masters",)), Target(verb="any", path="/x")).allowed
