"""kubectl 1.37 against the embedded cluster: what people type, and what they see."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

KUBECTL = str(Path(sys.executable).with_name("kubectl"))
WEB = """
apiVersion: v1
kind: ConfigMap
metadata: {name: shown}
data: {greeting: hello}
---
apiVersion: v1
kind: Service
metadata: {name: shown}
spec: {selector: {app: shown}, ports: [{name: http, port: 80}]}
"""


@pytest.fixture(scope="module")
def kubectl(cluster):
    kubeconfig = str(cluster.host.runtime / cluster.name / "kubeconfig")

    def run(*arguments: str, given: str = "", **how):
        if given:
            path = cluster.host.directory / "given.yaml"
            path.write_text(given)
            arguments = (*arguments, "-f", str(path))
        # No cache: discovery is part of what is shown.
        cache = str(cluster.host.directory / "cache")
        return cluster.host.run(KUBECTL, "--kubeconfig", kubeconfig, "--cache-dir", cache, *arguments, **how).stdout

    return run


def until(read: Callable[[], str], shows: str, seconds: float = 20.0) -> str:
    """What is read once it shows something."""
    deadline = time.monotonic() + seconds
    while True:
        found = read()
        if re.search(shows, found):
            return found
        assert time.monotonic() < deadline, f"{shows!r} did not come: {found}"
        time.sleep(0.05)


def test_the_kubeconfig_is_private(cluster) -> None:
    path = cluster.host.runtime / cluster.name / "kubeconfig"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "kubectl --kubeconfig" in cluster.started.stdout


def test_tables(kubectl) -> None:
    nodes = kubectl("get", "nodes").splitlines()
    assert nodes[0].split() == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert [line.split()[:2] for line in nodes[1:]] == [[f"node-{i}", "Ready"] for i in (1, 2, 3)]
    wide = kubectl("get", "services", "-n", "payments", "-o", "wide")
    assert wide.splitlines()[0].split() == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", "SELECTOR"]
    assert re.search(r"(?m)^app-v1 .* ClusterIP .*app", wide)
    pods = kubectl("get", "pods", "-n", "payments")
    assert len(re.findall(r"(?m) 1/1 +Running ", pods)) == len(pods.splitlines()) - 1 > 9


def test_other_outputs(kubectl) -> None:
    assert kubectl("get", "service", "app-v1", "-n", "payments", "-o", "jsonpath={.spec.type}") == "ClusterIP"
    assert json.loads(kubectl("get", "ns", "payments", "-o", "json"))["status"] == {"phase": "Active"}
    assert "clusterIPs:" in kubectl("get", "service", "app-v1", "-n", "payments", "-o", "yaml")


@pytest.mark.parametrize("how", [(), ("--server-side",)])
def test_apply_changes_and_deletes(kubectl, how) -> None:
    assert kubectl("apply", *how, given=WEB).count("created" if not how else "serverside-applied") == 2
    assert kubectl("apply", *how, given=WEB).count("unchanged" if not how else "serverside-applied") == 2
    changed = WEB.replace("hello", "good day")
    assert "+  greeting: good day" in kubectl("diff", *how, given=changed, code=1)
    kubectl("apply", *how, given=changed)
    assert kubectl("get", "configmap", "shown", "-o", "jsonpath={.data.greeting}") == "good day"
    assert "shown labeled" in kubectl("label", "service", "shown", "tier=front")
    assert "shown annotated" in kubectl("annotate", "service", "shown", "note=x")
    assert kubectl("get", "service", "-l", "tier=front", "-o", "name") == "service/shown\n"
    described = kubectl("describe", "service", "shown")
    assert re.search(r"(?m)^Selector: +app=shown$", described)
    assert kubectl("delete", "--wait", given=WEB).count("deleted") == 2
    kubectl("get", "service", "shown", code=1)


def test_a_deployment_from_its_start_to_its_end(kubectl) -> None:
    kubectl("create", "deployment", "typed", "--image=example.com/web:1", "--replicas=2")
    kubectl("wait", "deployment/typed", "--for=condition=Available", "--timeout=30s")
    until(lambda: kubectl("get", "deployment", "typed"), r"typed +2/2 +2 +2 ")
    assert "scaled" in kubectl("scale", "deployment", "typed", "--replicas=3")
    until(lambda: kubectl("get", "deployment", "typed"), r"typed +3/3 ")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/typed", "--timeout=30s")
    assert "exposed" in kubectl("expose", "deployment", "typed", "--port=80")
    until(lambda: kubectl("get", "endpointslices", "-l", "kubernetes.io/service-name=typed"), r"10\.\d+\.\d+\.\d+,")
    assert "Normal" in kubectl("describe", "deployment", "typed")
    assert "typed" in kubectl("events")
    kubectl("delete", "deployment,service", "typed", "--wait", "--timeout=30s")
    until(lambda: kubectl("get", "pods"), r"\A\Z")


def test_what_there_is_and_what_one_may(kubectl) -> None:
    resources = kubectl("api-resources")
    assert re.search(r"(?m)^services +svc +v1 +true +Service$", resources)
    assert re.search(r"(?m)^deployments +deploy +apps/v1 +true +Deployment$", resources)
    explained = kubectl("explain", "service.spec.ports")
    assert "The list of ports that are exposed by this service." in explained
    assert re.search(r"targetPort\s+<IntOrString>", explained)
    assert kubectl("auth", "can-i", "delete", "nodes").strip() == "yes"
    assert kubectl("auth", "can-i", "delete", "nodes", "--as=somebody", code=1).strip() == "no"
    assert "kubernetes-admin" in kubectl("auth", "whoami")


def test_watch(cluster, kubectl) -> None:
    kubeconfig = str(cluster.host.runtime / cluster.name / "kubeconfig")
    watching = [KUBECTL, "--kubeconfig", kubeconfig, "get", "configmaps", "-w", "-o", "name"]
    with cluster.host.spawn(watching) as process:
        try:
            kubectl("create", "configmap", "watched")
            assert process.stdout is not None
            assert any(line == "configmap/watched\n" for line in process.stdout)
        finally:
            process.kill()
    kubectl("delete", "configmap", "watched")
