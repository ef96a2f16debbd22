import pytest

from switchboard.api.access import bootstrap
from switchboard.k8s import kinds, objects


def test_a_second_start_changes_nothing(ask):
    before = ask.store.resource_version
    bootstrap.start(ask.store)
    assert ask.store.resource_version == before


@pytest.mark.parametrize(
    ("role", "path", "allowed"),
    [
        ("view", "/api/v1/namespaces/default/pods", True),
        ("view", "/api/v1/namespaces/default/secrets", False),
        ("edit", "/api/v1/namespaces/default/secrets", True),
        ("edit", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles", False),
        ("admin", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles", True),
        ("admin", "/api/v1/nodes", False),
        ("cluster-admin", "/api/v1/namespaces/default/secrets", True),
    ],
)
def test_user_facing_roles(ask, role, path, allowed):
    reference = {"kind": "ClusterRole", "name": role, "apiGroup": "rbac.authorization.k8s.io"}
    binding = {"metadata": {"name": "b"}, "roleRef": reference, "subjects": [{"kind": "User", "name": "ann"}]}
    assert ask("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", binding)[0] == 201
    assert ask("GET", path, user="ann")[0] == (200 if allowed else 403)


def test_rules_name_resources_that_exist():
    known = {(k.group, k.plural) for k in kinds.KINDS} | {("", "bindings")}
    for role in bootstrap.objects_at_start():
        for rule in role.get("rules", ()):
            for group in rule.get("apiGroups", ()):
                if group not in ("*", "authentication.k8s.io", "authorization.k8s.io"):
                    wrong = [r for r in rule["resources"] if (group, r.partition("/")[0]) not in known]
                    assert not wrong, (objects.name(role), group)
