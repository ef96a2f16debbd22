import pytest

from switchboard.k8s.validation import metadata, validate


def errors(meta, old=None, kind="ConfigMap", version="v1"):
    obj = {"apiVersion": version, "kind": kind, "metadata": meta}
    before = None if old is None else {"apiVersion": version, "kind": kind, "metadata": old}
    return [(f.reference, f.field) for f in validate(obj, before)]


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"name": "a.b"}, []),
        ({"generateName": "a-"}, []),
        ({}, [("field-required", "metadata.name")]),
        ({"name": "A"}, [("field-invalid", "metadata.name")]),
        ({"name": "a", "namespace": "a.b"}, [("field-invalid", "metadata.namespace")]),
        ({"name": "a", "labels": {"a b": "c"}}, [("field-invalid", "metadata.labels")]),
        ({"name": "a", "labels": {"a": "c d"}}, [("field-invalid", "metadata.labels")]),
        ({"name": "a", "annotations": {"A/b": "any thing"}}, []),
        ({"name": "a", "annotations": {"a b": ""}}, [("field-invalid", "metadata.annotations")]),
        ({"name": "a", "annotations": {"a": "x" * 262144}}, [("field-too-long", "metadata.annotations")]),
        ({"name": "a", "finalizers": ["a b"]}, [("field-invalid", "metadata.finalizers[0]")]),
        (
            {"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}]},
            [("field-invalid", "metadata.ownerReferences.uid")],
        ),
        (
            {
                "name": "a",
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Pod", "name": n, "uid": n, "controller": True} for n in "pq"
                ],
            },
            [("field-invalid", "metadata.ownerReferences")],
        ),
    ],
)
def test_metadata_of_any_kind(meta, expected):
    assert errors(meta) == expected


def test_names_by_kind():
    assert errors({"name": "a.b"}, kind="Namespace") == [("field-invalid", "metadata.name")]
    assert errors({"name": "System:A"}, kind="ClusterRole", version="rbac.authorization.k8s.io/v1") == []
    assert errors({"name": "n", "namespace": "x"}, kind="Node") == [("field-forbidden", "metadata.namespace")]


def test_identity_may_not_change():
    old = {"name": "a", "namespace": "n", "uid": "u"}
    assert errors({"name": "a", "namespace": "n"}, old) == []
    assert errors({"name": "a", "namespace": "n", "uid": "v"}, old) == [("field-invalid", "metadata.uid")]
    assert ("field-invalid", "metadata.name") in errors({"name": "b"}, old)


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({}, True),
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchLabels": {"b": "1"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, True),
        ({"matchExpressions": [{"key": "b", "operator": "In", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_selectors_match_labels(selector, selected):
    assert metadata.matches(selector, {"a": "1"}) == selected
