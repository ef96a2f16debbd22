"""Laws of patches: they reach their target, repeat without effect where they should, and refuse by ApiError only."""

import copy
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.api.errors import ApiError
from switchboard.api.patch import json_patch, merge_patch, strategic
from switchboard.k8s.schemas import schema_of

CONFIG_MAP = schema_of("v1", "ConfigMap")
DEPLOYMENT = schema_of("apps/v1", "Deployment")

NAMES = st.sampled_from(["a", "b", "c", "a/b", "m~n", "~1", "", "0", "-"])
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([1.5, 1.0, "", "x", "y"])
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(NAMES, v, max_size=3), max_leaves=8)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)
WHOLE = st.recursive(
    SCALARS.filter(lambda v: v is not None),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(NAMES, v, max_size=3),
    max_leaves=8,
)


def pointer(*parts):
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def operations(old, new, at=()):
    """A JSON patch from one value to another, with a test of what it replaces."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old:
            if key not in new:
                yield {"op": "remove", "path": pointer(*at, key)}
        for key, value in new.items():
            if key in old:
                yield from operations(old[key], value, (*at, key))
            else:
                yield {"op": "add", "path": pointer(*at, key), "value": value}
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(min(len(old), len(new))):
            yield from operations(old[index], new[index], (*at, index))
        for index in range(len(old) - 1, len(new) - 1, -1):
            yield {"op": "remove", "path": pointer(*at, index)}
        for value in new[len(old) :]:
            yield {"op": "add", "path": pointer(*at, "-"), "value": value}
    elif not json_patch.equal(old, new):
        yield {"op": "test", "path": pointer(*at), "value": old}
        yield {"op": "replace", "path": pointer(*at), "value": new}


def overlay(old, new):
    """A merge patch from one document to another."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    changed = {k: overlay(old.get(k), v) for k, v in new.items() if k not in old or not json_patch.equal(old[k], v)}
    return {**dict.fromkeys([k for k in old if k not in new]), **changed}


@given(DOCUMENTS, DOCUMENTS)
def test_a_json_patch_reaches_its_target(old, new):
    before = copy.deepcopy(old)
    assert json_patch.equal(json_patch.apply(old, list(operations(old, new))), new)
    assert json_patch.equal(old, before)


@given(DOCUMENTS, NAMES, VALUES)
def test_add_and_remove_cancel_each_other(document, name, value):
    added = {k: v for k, v in document.items() if k != name}
    patch = [{"op": "add", "path": pointer(name), "value": value}, {"op": "remove", "path": pointer(name)}]
    assert json_patch.equal(json_patch.apply(added, patch), added)


@given(DOCUMENTS, NAMES, NAMES)
def test_a_move_is_a_copy_and_a_remove(document, origin, target):
    if origin not in document or origin == target:
        return
    move = [{"op": "move", "from": pointer(origin), "path": pointer(target)}]
    both = [
        {"op": "copy", "from": pointer(origin), "path": pointer(target)},
        {"op": "remove", "path": pointer(origin)},
    ]
    assert json_patch.equal(json_patch.apply(document, move), json_patch.apply(document, both))


@given(st.dictionaries(NAMES, WHOLE, max_size=4), st.dictionaries(NAMES, WHOLE, max_size=4))
def test_a_merge_patch_reaches_its_target(old, new):
    assert json_patch.equal(merge_patch.apply(old, overlay(old, new)), new)


@given(DOCUMENTS, VALUES)
def test_a_merge_patch_twice_is_once(document, patch):
    once = merge_patch.apply(document, patch)
    assert json_patch.equal(merge_patch.apply(once, patch), once)


TEXTS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz"), max_size=4)
CHANGES = st.dictionaries(st.sampled_from("abcd"), st.none() | st.sampled_from("xyz"), max_size=4)


@given(TEXTS, TEXTS, CHANGES, CHANGES)
def test_without_lists_a_strategic_patch_is_a_merge_patch(labels, data, label_changes, data_changes):
    document = {"metadata": {"labels": labels}, "data": data}
    patch = {"metadata": {"labels": label_changes}, "data": data_changes}
    assert strategic.apply(document, patch, CONFIG_MAP) == merge_patch.apply(document, patch)


CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abcde")}, optional={"image": st.sampled_from("xyz")}),
    max_size=4,
    unique_by=lambda c: c["name"],
)


def pod_template(containers):
    return {"spec": {"template": {"spec": {"containers": containers}}}}


@given(CONTAINERS, CONTAINERS)
def test_a_merged_list_has_every_item_once_and_the_patch_in_its_order(old, patch):
    found = strategic.apply(pod_template(old), pod_template(patch), DEPLOYMENT)["spec"]["template"]["spec"][
        "containers"
    ]
    names = [c["name"] for c in found]
    assert sorted(names) == sorted({c["name"] for c in old + patch})
    assert [n for n in names if n in {c["name"] for c in patch}] == [c["name"] for c in patch]
    kept = [c["name"] for c in old if c["name"] not in {p["name"] for p in patch}]
    assert [n for n in names if n in kept] == kept
    assert strategic.apply(pod_template(found), pod_template(patch), DEPLOYMENT) == pod_template(found)


@given(CONTAINERS, st.permutations("abcde"))
def test_an_order_orders(old, order):
    directive = {"$setElementOrder/containers": [{"name": name} for name in order]}
    patch = {"spec": {"template": {"spec": directive}}}
    found = strategic.apply(pod_template(old), patch, DEPLOYMENT)["spec"]["template"]["spec"]["containers"]
    assert found == sorted(old, key=lambda c: order.index(c["name"]))


POINTERS = st.lists(NAMES | st.sampled_from(["0", "1", "-1", "-", "00"]), max_size=4).map(lambda p: pointer(*p))
OPERATION = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "?"]) | VALUES,
        "path": POINTERS | SCALARS,
    },
    optional={"from": POINTERS | SCALARS, "value": VALUES, "x": VALUES},
)


@settings(max_examples=300)
@given(VALUES, st.lists(OPERATION, max_size=6) | VALUES)
def test_a_json_patch_refuses_by_api_errors_only(document, patch):
    with suppress(ApiError):
        json_patch.apply(document, patch)


KEYS = st.sampled_from(
    [
        "metadata", "spec", "template", "containers", "env", "name", "value", "labels", "finalizers", "strategy",
        "ports", "ownerReferences", "uid", "selector", "x", "$patch", "$retainKeys", "$setElementOrder/containers",
        "$setElementOrder/finalizers", "$setElementOrder/x", "$deleteFromPrimitiveList/finalizers",
        "$deleteFromPrimitiveList/x", "$deleteFromPrimitiveList/containers",
    ]
)  # fmt: skip
LEAVES = SCALARS | st.sampled_from(["replace", "delete", "merge", "name", "a", "\ud800"])
WILD = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=4), max_leaves=20)


@settings(max_examples=400)
@given(st.dictionaries(KEYS, WILD, max_size=4), WILD)
def test_a_strategic_patch_refuses_by_api_errors_only(document, patch):
    with suppress(ApiError):
        strategic.apply(document, patch, DEPLOYMENT)


@settings(max_examples=300)
@given(
    st.lists(st.dictionaries(KEYS, WILD, max_size=3), max_size=3),
    st.lists(st.dictionaries(KEYS, WILD, max_size=3), max_size=3),
    st.none() | st.lists(WILD, max_size=3),
)
def test_lists_of_containers_refuse_by_api_errors_only(old, new, order):
    patch = pod_template(new)
    if order is not None:
        patch["spec"]["template"]["spec"]["$setElementOrder/containers"] = order
    with suppress(ApiError):
        strategic.apply(pod_template(old), patch, DEPLOYMENT)
