import pytest

ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings"
OWN = [
    {
        "verbs": ["get", "create", "update"],
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["roles", "rolebindings"],
    },
    {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
]
REFERENCE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "own"}


@pytest.fixture
def ann(ask):
    ask("POST", ROLES, {"metadata": {"name": "own"}, "rules": OWN})
    ask(
        "POST",
        BINDINGS,
        {"metadata": {"name": "own"}, "roleRef": REFERENCE, "subjects": [{"kind": "User", "name": "ann"}]},
    )

    def send(method, path, body):
        return ask(method, path, body, user="ann")[0]

    return send


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}, 201),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["p"]}, 201),
        ({"verbs": ["get", "delete"], "apiGroups": [""], "resources": ["pods"]}, 403),
        ({"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]}, 403),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["*"]}, 403),
    ],
)
def test_nobody_grants_what_he_does_not_have(ann, rule, code):
    assert ann("POST", ROLES, {"metadata": {"name": "r"}, "rules": [rule]}) == code


def test_bindings_to_more(ask, ann):
    ask(
        "POST",
        ROLES,
        {"metadata": {"name": "more"}, "rules": [{"verbs": ["*"], "apiGroups": [""], "resources": ["*"]}]},
    )
    binding = {"metadata": {"name": "b"}, "roleRef": {**REFERENCE, "name": "more"}, "subjects": []}
    assert ann("POST", BINDINGS, binding) == 403
    assert ann("POST", BINDINGS, {**binding, "roleRef": REFERENCE}) == 201
    assert ann("POST", BINDINGS, {**binding, "metadata": {"name": "c"}, "roleRef": {**REFERENCE, "name": "no"}}) == 404


def test_the_same_again_grants_nothing(ask, ann):
    rule = {"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]}
    role = ask("POST", ROLES, {"metadata": {"name": "r"}, "rules": [rule]})[1]
    assert ann("PUT", f"{ROLES}/r", role) == 200
    assert ann("PUT", f"{ROLES}/r", {**role, "metadata": {"name": "r", "labels": {"a": "b"}}}) == 403
