import pytest

from switchboard.k8s.validation import validate

GROUP = "rbac.authorization.k8s.io"


def fields(kind, old=None, **body):
    meta = {"name": "x"} if kind.startswith("Cluster") else {"name": "x", "namespace": "n"}
    obj = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": meta, **body}
    return [f.field for f in validate(obj, {**obj, **old} if old else None)]


@pytest.mark.parametrize(
    ("kind", "rule", "expected"),
    [
        ("Role", {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}, []),
        ("Role", {"apiGroups": [""], "resources": ["pods"]}, ["rules[0].verbs"]),
        ("Role", {"verbs": ["get"]}, ["rules[0].apiGroups", "rules[0].resources"]),
        ("Role", {"verbs": ["get"], "nonResourceURLs": ["/x"]}, ["rules[0].nonResourceURLs"]),
        ("ClusterRole", {"verbs": ["get"], "nonResourceURLs": ["/x"]}, []),
    ],
)
def test_rules(kind, rule, expected):
    assert fields(kind, rules=[rule]) == expected


REFERENCE = {"apiGroup": GROUP, "kind": "ClusterRole", "name": "r"}


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ({"kind": "User", "apiGroup": GROUP, "name": "u"}, []),
        ({"kind": "User", "apiGroup": GROUP, "name": ""}, ["subjects[0].name"]),
        ({"kind": "Robot", "name": "u"}, ["subjects[0].kind"]),
        ({"kind": "ServiceAccount", "name": "a"}, ["subjects[0].namespace"]),
        ({"kind": "Group", "name": "g"}, ["subjects[0].apiGroup"]),
    ],
)
def test_subjects(subject, expected):
    assert fields("ClusterRoleBinding", roleRef=REFERENCE, subjects=[subject]) == expected


def test_references_stay():
    assert fields("RoleBinding", roleRef={**REFERENCE, "kind": "Thing"}) == ["roleRef.kind"]
    assert fields("ClusterRoleBinding", roleRef={**REFERENCE, "kind": "Role"}) == ["roleRef.kind"]
    assert fields("RoleBinding", roleRef=REFERENCE, old={"roleRef": {**REFERENCE, "name": "s"}}) == ["roleRef"]
