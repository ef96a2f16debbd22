"""The official Python client and lightkube: lists, typed writes, and watches that go on after a break."""

from __future__ import annotations

import json
import sys

import pytest

pytestmark = pytest.mark.live

OFFICIAL = """
import json, sys
from kubernetes import client, config, watch

config.load_kube_config(sys.argv[1])
core = client.CoreV1Api()
said = {"pods": len(core.list_namespaced_pod("payments", label_selector="app=myapp").items)}
pages, token = [], None
while True:
    page = core.list_namespaced_pod("payments", limit=7, _continue=token)
    pages.append(len(page.items))
    token = page.metadata._continue
    if not token:
        break
said["pages"] = pages

def named(name):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"by": "official"}), data={"a": "1"})

start = core.create_namespaced_config_map("default", named("one")).metadata.resource_version
core.create_namespaced_config_map("default", named("two"))
core.patch_namespaced_config_map("two", "default", {"data": {"a": "2"}})
seen, version = [], start
for _ in range(2):  # the second watch goes on where the first one broke off
    stream = watch.Watch()
    for event in stream.stream(core.list_namespaced_config_map, "default", label_selector="by=official",
                               resource_version=version, timeout_seconds=20):
        seen.append([event["type"], event["object"].metadata.name, event["object"].data["a"]])
        version = event["object"].metadata.resource_version
        break
    stream.stop()
said["seen"] = seen
try:
    core.read_namespaced_config_map("none", "default")
except client.ApiException as error:
    said["missing"] = [error.status, json.loads(error.body)["reason"]]
core.delete_collection_namespaced_config_map("default", label_selector="by=official")
said["left"] = len(core.list_namespaced_config_map("default", label_selector="by=official").items)
print(json.dumps(said))
"""

LIGHTKUBE = """
import json, sys
from lightkube import Client, KubeConfig
from lightkube.core.exceptions import ApiError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod

client = Client(config=KubeConfig.from_file(sys.argv[1]), field_manager="lightkube")
said = {"pods": len(list(client.list(Pod, namespace="payments", labels={"app": "myapp"})))}
said["chunked"] = len(list(client.list(Pod, namespace="payments", chunk_size=5)))
one = ConfigMap(apiVersion="v1", kind="ConfigMap", metadata=ObjectMeta(name="lk", namespace="default"), data={"a": "1"})
first = client.apply(one)
one.data["a"] = "2"
client.apply(one)
seen = []
for operation, found in client.watch(ConfigMap, namespace="default", fields={"metadata.name": "lk"},
                                     resource_version=first.metadata.resourceVersion):
    seen.append([operation, found.data["a"]])
    break
said["seen"] = seen
said["manager"] = client.get(ConfigMap, "lk").metadata.managedFields[0].manager
said["scale"] = client.get(Deployment.Scale, "app-v2", namespace="payments").spec.replicas
client.delete(ConfigMap, "lk")
try:
    client.get(ConfigMap, "lk")
except ApiError as error:
    said["gone"] = error.status.code
print(json.dumps(said))
"""


def said_by(script: str, cluster) -> dict:
    kubeconfig = str(cluster.host.runtime / cluster.name / "kubeconfig")
    return json.loads(cluster.host.run(sys.executable, "-c", script, kubeconfig).stdout.splitlines()[-1])


def test_official_client(cluster) -> None:
    said = said_by(OFFICIAL, cluster)
    assert said["pods"] == 12
    assert said["pages"] == [7, 7, 4]
    assert said["seen"] == [["ADDED", "two", "1"], ["MODIFIED", "two", "2"]]
    assert said["missing"] == [404, "NotFound"]
    assert said["left"] == 0


def test_lightkube(cluster) -> None:
    said = said_by(LIGHTKUBE, cluster)
    assert (said["pods"], said["chunked"], said["scale"]) == (12, 18, 3)
    assert said["seen"] == [["MODIFIED", "2"]]
    assert said["manager"] == "lightkube"
    assert said["gone"] == 404
