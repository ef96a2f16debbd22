import pytest

from switchboard.api.errors import BadRequest, ServerFault, UnsupportedMediaType
from switchboard.api.patch.strategic import apply
from switchboard.k8s.schemas import schema_of

DEPLOYMENT = schema_of("apps/v1", "Deployment")
SERVICE = schema_of("v1", "Service")
CONFIG_MAP = schema_of("v1", "ConfigMap")


def pod_template(*containers):
    return {"spec": {"template": {"spec": {"containers": list(containers)}}}}


def containers(document):
    return document["spec"]["template"]["spec"]["containers"]


def test_lists_merge_by_their_key_at_every_depth():
    before = pod_template(
        {"name": "a", "image": "x", "env": [{"name": "E", "value": "1"}], "args": ["p"]}, {"name": "b"}
    )
    patch = pod_template({"name": "a", "env": [{"name": "F", "value": "2"}], "args": ["q"]})
    assert containers(apply(before, patch, DEPLOYMENT)) == [
        {"name": "a", "image": "x", "env": [{"name": "F", "value": "2"}, {"name": "E", "value": "1"}], "args": ["q"]},
        {"name": "b"},
    ]
    assert containers(before)[0]["args"] == ["p"]


def test_a_new_item_loses_its_directives_and_nulls():
    patch = pod_template({"name": "n", "image": None, "$setElementOrder/env": [{"name": "E"}], "env": [{"name": "E"}]})
    assert containers(apply(pod_template({"name": "a"}), patch, DEPLOYMENT)) == [
        {"name": "n", "env": [{"name": "E"}]},
        {"name": "a"},
    ]


def test_ports_merge_by_port_alone():
    before = {"spec": {"ports": [{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}}
    patch = {"spec": {"ports": [{"port": 53, "protocol": "UDP", "targetPort": 1}]}}
    assert apply(before, patch, SERVICE)["spec"]["ports"][0] == {"port": 53, "protocol": "UDP", "targetPort": 1}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"labels": {"a": None}}, {"labels": {"b": "2"}}),
        ({"labels": {"$patch": "replace", "c": "3"}}, {"labels": {"c": "3"}}),
        ({"labels": {"$patch": "delete"}}, {"labels": {}}),
        ({"labels": {"$retainKeys": ["b"]}}, {"labels": {"b": "2"}}),
        ({"labels": None}, {}),
        ({"labels": {}}, {"labels": {"a": "1", "b": "2"}}),
    ],
)
def test_directives_of_maps(patch, expected):
    before = {"metadata": {"labels": {"a": "1", "b": "2"}}}
    assert apply(before, {"metadata": patch}, CONFIG_MAP) == {"metadata": expected}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"finalizers": ["c"]}, ["c", "a", "b"]),
        ({"$deleteFromPrimitiveList/finalizers": ["a", "z"]}, ["b"]),
        ({"$setElementOrder/finalizers": ["b", "a"]}, ["b", "a"]),
        ({"$setElementOrder/finalizers": ["c", "b"], "finalizers": ["c"]}, ["c", "a", "b"]),
    ],
)
def test_lists_of_texts_are_sets(patch, expected):
    found = apply({"metadata": {"finalizers": ["a", "b"]}}, {"metadata": patch}, CONFIG_MAP)
    assert found["metadata"]["finalizers"] == expected


def test_orders_apply_to_lists_that_only_one_side_has():
    order = {"$setElementOrder/ports": [{"port": 2}, {"port": 1}]}
    two = [{"port": 1}, {"port": 2}]
    assert apply({"spec": {"ports": two}}, {"spec": order}, SERVICE) == {"spec": {"ports": two[::-1]}}
    new = apply({"spec": {}}, {"spec": {**order, "ports": two[::-1]}}, SERVICE)
    assert new == {"spec": {"ports": two[::-1]}}
    assert apply({"spec": {}}, {"spec": order}, SERVICE) == {"spec": {}}


@pytest.mark.parametrize(
    ("patch", "error", "told"),
    [
        ({"metadata": {"labels": {"$patch": "x"}}}, ServerFault, "unknown patch type: x"),
        ({"metadata": {"labels": {"$retainKeys": "a"}}}, BadRequest, "retainKeys"),
        ({"metadata": {"labels": {"$retainKeys": [], "a": "1"}}}, BadRequest, "retainKeys"),
        ({"metadata": {"$setElementOrder/finalizers": "a"}}, ServerFault, "expected a"),
        ({"metadata": {"$setElementOrder/nope": []}}, ServerFault, "unable to find api field"),
        ({"metadata": {"finalizers": [1]}}, ServerFault, "not identical"),
        ({"metadata": {"ownerReferences": [{"name": "x"}]}}, ServerFault, "merge key: uid"),
        ({"metadata": {"ownerReferences": [{"$patch": "merge"}]}}, ServerFault, "merging lists"),
        ({"metadata": {"ownerReferences": [{"$patch": "delete"}]}}, ServerFault, "merge key: uid"),
        ([], BadRequest, "not a mapping"),
    ],
)
def test_refusals(patch, error, told):
    before = {"metadata": {"labels": {}, "finalizers": ["a"], "ownerReferences": [{"uid": "u"}]}}
    with pytest.raises(error, match=told):
        apply(before, patch, CONFIG_MAP)


def test_custom_resources_have_no_strategy():
    with pytest.raises(UnsupportedMediaType, match="application/merge-patch"):
        apply({}, {}, None)
