"""Whatever a PATCH says, the API server answers it, and what it stores afterwards is still an object of its kind."""

import json
from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.api.access.identity import MASTERS, StaticTokens, User
from switchboard.api.admission import KubernetesAdmission
from switchboard.api.server.answers import Answer
from switchboard.api.server.request import Request
from switchboard.api.server.router import ApiServer
from switchboard.api.store import Store

MEDIA = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
OBJECTS = {
    "/api/v1/namespaces/default/services/s": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "labels": {"a": "b"}},
        "spec": {"type": "NodePort", "ports": [{"name": "a", "port": 80}], "selector": {"a": "b"}},
    },
    "/apis/apps/v1/namespaces/default/deployments/d": {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE},
    },
    "/api/v1/namespaces/default/configmaps/m": {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "m", "finalizers": ["e.com/a"]},
        "data": {"a": "1"},
    },
}
KEYS = st.sampled_from(
    [
        "metadata", "name", "namespace", "labels", "annotations", "finalizers", "ownerReferences", "uid",
        "resourceVersion", "managedFields", "generation", "spec", "ports", "port", "protocol", "nodePort", "selector",
        "type", "template", "containers", "image", "replicas", "status", "loadBalancer", "data", "a", "apiVersion",
        "kind", "clusterIP", "$patch", "$retainKeys", "$setElementOrder/ports", "$setElementOrder/containers",
        "$deleteFromPrimitiveList/finalizers",
    ]
)  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-1, 80)
    | st.sampled_from([1.5, 2**63, "", "a", "x", "80", "delete", "replace"])
)
WILD = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=4), max_leaves=16)
PATHS = st.lists(KEYS | st.sampled_from(["0", "-", "-1"]), max_size=4).map(
    lambda parts: "".join(f"/{p}" for p in parts)
)
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": PATHS, "value": WILD},
        optional={"from": PATHS},
    ),
    max_size=4,
)


def open_server():
    numbers = count(1)
    store = Store(
        clock=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC),
        uid=lambda: f"00000000-0000-4000-8000-{next(numbers):012}",
        randrange=lambda n: next(numbers) % n,
        admission=KubernetesAdmission(),
    )
    server = ApiServer(store, [StaticTokens({"t": User("admin", (MASTERS,))})])
    for path, obj in OBJECTS.items():
        assert send(server, "POST", path.rpartition("/")[0], "application/json", json.dumps(obj).encode()).status == 201
    return server


def send(server, method, path, media, body, query=()):
    headers = (("authorization", "Bearer t"), ("content-type", media), ("user-agent", "law/1"))
    return server.handle(Request(method, path, tuple(query), headers, body))


@pytest.fixture(scope="module")
def server():
    return open_server()


def check(server, path, media, body, query=()):
    answer = send(server, "PATCH", path, media, body, query)
    assert isinstance(answer, Answer)
    found = json.loads(answer.body)
    if answer.status >= 400:
        assert (found["kind"], found["code"]) == ("Status", answer.status)
        assert found["message"]
    else:
        base = path.removesuffix("/status").removesuffix("/scale")
        assert found["kind"] in (OBJECTS[base]["kind"], "Scale")
    return answer


TARGETS = st.sampled_from([p + sub for p in OBJECTS for sub in ("", "/status", "/scale")])
DRY = (("dryRun", "All"), ("fieldManager", "law"))


@settings(max_examples=200, deadline=None)
@given(path=TARGETS, type_=st.sampled_from(["merge", "strategic"]), patch=st.dictionaries(KEYS, WILD, max_size=3))
def test_patches_of_objects(server, path, type_, patch):
    check(server, path, MEDIA[type_], json.dumps(patch).encode(), DRY)


@settings(max_examples=200, deadline=None)
@given(path=TARGETS, patch=OPERATIONS)
def test_lists_of_operations(server, path, patch):
    check(server, path, MEDIA["json"], json.dumps(patch).encode(), DRY)


@settings(max_examples=200, deadline=None)
@given(path=TARGETS, patch=st.dictionaries(KEYS, WILD, max_size=3), force=st.booleans(), whole=st.booleans())
def test_applied_configurations(server, path, patch, force, whole):
    base = OBJECTS[path.removesuffix("/status").removesuffix("/scale")]
    config = {**patch, "apiVersion": base["apiVersion"], "kind": base["kind"]}
    if whole:
        config["metadata"] = {"name": base["metadata"]["name"]}
    query = (*DRY, ("force", "true")) if force else DRY
    check(server, path, MEDIA["apply"], json.dumps(config).encode(), query)


@settings(max_examples=100, deadline=None)
@given(path=TARGETS, media=st.sampled_from([*MEDIA.values(), "text/plain", ""]), body=st.binary(max_size=40))
def test_any_bytes(server, path, media, body):
    check(server, path, media, body, DRY)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(OBJECTS)),
            st.sampled_from(["merge", "strategic"]),
            st.dictionaries(KEYS, WILD, max_size=3),
        ),
        max_size=6,
    )
)
def test_what_is_stored_can_be_patched_again(patches):
    server = open_server()
    for path, type_, patch in patches:
        check(server, path, MEDIA[type_], json.dumps(patch).encode(), (("fieldManager", "law"),))
    for path, obj in OBJECTS.items():
        answer = send(server, "GET", path, "", b"")
        if answer.status == 200:
            body = json.dumps({**obj, "metadata": {"name": obj["metadata"]["name"]}}).encode()
            check(server, path, MEDIA["apply"], body, (("fieldManager", "law"), ("force", "true")))


@pytest.mark.parametrize("type_", MEDIA)
@pytest.mark.parametrize("bracket", ["[", '{"a":'])
def test_deep_nesting(server, type_, bracket):
    end = "]" if bracket == "[" else "}"
    for depth in (50, 200, 100_000):
        body = (bracket * depth + "1" + end * depth).encode()
        path = "/api/v1/namespaces/default/configmaps/m"
        assert check(server, path, MEDIA[type_], body, DRY).status in (200, 400, 422, 500)
