"""The payment example on a running cluster: what the commands say, and what requests from outside see."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from switchboard.release.statistics import binomial_two_sided_p

pytestmark = pytest.mark.live

HOST_NAME = "api.example.com"
HOST_ADDRESS = "203.0.113.200"


def namespace_of_this_test() -> int:
    return Path("/proc/thread-self/ns/net").stat().st_ino


def curl(address: str, port: int = 443, *, authority: str, times: int = 1) -> list[str]:
    """Arguments of a curl that asks ``times`` times over new connections; each answer is one line."""
    each = ["curl", "-sS", "--fail", "--max-time", "10", "--cacert", authority, "-w", "\\n", "--http1.1",
            "-H", "Connection: close", "--resolve", f"{HOST_NAME}:{port}:{address}"]  # fmt: skip
    return [*each, *(f"https://{HOST_NAME}:{port}/?{number}" for number in range(times))]


def answers(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def services(cluster) -> dict[str, dict[str, str]]:
    return cluster.table("Services")


@pytest.fixture(scope="module")
def status(cluster) -> dict:
    return cluster.status()


def test_start_shows_progress_and_what_to_try(cluster) -> None:
    out = cluster.started.stdout
    assert out.startswith("runtime: netns as root\n")
    for step in ("3 nodes in 3 zones", "16 manifests applied", "22 pods ready", "ready after "):
        assert step in out
    assert f"switchboard down --name {cluster.name}" in out
    assert cluster.started.stderr == ""


def test_status_as_text(cluster, services) -> None:
    text = cluster.switchboard("status").stdout
    assert text.startswith(f"cluster {cluster.name}: ready · runtime netns as root · ")
    assert set(cluster.table("Nodes")) == {"node-1", "node-2", "node-3"}
    assert len(cluster.table("Pods")) == 22
    assert services["payments/app-v1"]["ready"] == "9/9"
    assert services["payments/app-v2"]["ready"] == "3/3"
    assert services["payments/payment-service"]["type"] == "LoadBalancer"
    assert services["payments/app-peers"]["inside"] == "-"


def test_status_as_json(cluster, status) -> None:
    assert (status["kind"], status["apiVersion"]) == ("ClusterStatus", "switchboard.dev/v1")
    assert (status["ready"], status["waiting"], status["findings"]) == (True, [], [])
    assert status["objects"]["Pod"] == 22
    assert set(status["forwarded"]) == {"http", "https", "api"}
    assert min(status["memory"].values()) > 0
    assert status["directory"] == str(cluster.host.runtime / cluster.name)


def test_processes_are_those_of_the_picture(cluster) -> None:
    names = Counter(cluster.host.processes().values())
    assert names == {"swb-supervisor": 1, "swb-init": 1, "swb-kubelet": 1, "swb-control": 1, "envoy": 2}


def test_second_start_says_that_one_is_running(cluster, status) -> None:
    done = cluster.switchboard("up", "--detach", code=3)
    assert f"already running (process {status['supervisor']})" in done.stderr
    assert cluster.status()["ready"]


def test_exec_runs_in_the_namespace_of_a_client(cluster) -> None:
    addresses = json.loads(cluster.inside("client-1", "ip", "-j", "addr", "show", "eth0").stdout)
    assert addresses[0]["addr_info"][0]["local"] == "203.0.113.10"
    assert cluster.inside("client-1", "sh", "-c", "exit 7", code=7)
    assert "node-1" in cluster.inside("nowhere", "true", code=3).stderr


def test_this_test_has_stayed_in_its_own_network(cluster) -> None:
    before = namespace_of_this_test()
    cluster.host.run("true")
    assert namespace_of_this_test() == before


def test_host_reaches_the_gateway_by_its_address(cluster, services, status) -> None:
    address = services["switchboard-system/gateway"]["outside"]
    assert status["reachable"]
    (answer,) = answers(cluster.host.run(*curl(address, authority=status["authority"])).stdout)
    assert answer["namespace"] == "payments"
    assert (answer["host"], answer["clientIP"]) == (HOST_NAME, HOST_ADDRESS)


def test_host_reaches_the_gateway_by_a_forwarded_port(cluster, status) -> None:
    port = status["forwarded"]["https"]
    (answer,) = answers(cluster.host.run(*curl("127.0.0.1", port, authority=status["authority"])).stdout)
    assert answer["pod"].startswith("app-v")
    plain = cluster.host.run(
        "curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", "-H", f"Host: {HOST_NAME}",
        f"http://127.0.0.1:{status['forwarded']['http']}/",
    ).stdout  # fmt: skip
    assert plain == f"308 https://{HOST_NAME}/"


def test_certificate_is_that_of_the_ingress(cluster, services, status) -> None:
    address = services["switchboard-system/gateway"]["outside"]
    refused = cluster.host.run(*curl(address, authority="/dev/null"), code=None)
    assert refused.returncode in (60, 77)
    other = ["curl", "-sS", "--cacert", status["authority"], "--resolve", f"other.example.com:443:{address}"]
    assert cluster.host.run(*other, "https://other.example.com/", code=60)


def test_headless_service_has_pods_for_endpoints_and_no_rules(cluster, services) -> None:
    assert services["payments/app-peers"]["ready"] == "12/12"
    assert services["payments/app-peers"]["type"] == "headless"
    addresses = {row["address"] for name, row in cluster.table("Pods").items() if name.startswith("payments/app-v")}
    assert len(addresses) == 12
    asked = [f"http://{address}:8080/" for address in sorted(addresses)]
    peer = next(name for name in cluster.table("Pods") if name.startswith("payments/app-v"))
    found = answers(cluster.inside(peer, "curl", "-sS", "--max-time", "10", "-w", "\\n", *asked).stdout)
    assert {answer["podIP"] for answer in found} == addresses


def test_affinity_keeps_a_client_at_one_pod_and_the_pod_sees_the_client(cluster, services) -> None:
    address = services["payments/payment-service"]["outside"]
    ask = ["curl", "-skS", "--http1.1", "-H", "Connection: close", "--max-time", "10", "-w", "\\n"]
    nodes = set()
    for client, own in (("client-1", "203.0.113.10"), ("client-2", "203.0.113.11")):
        found = answers(cluster.inside(client, *ask, *[f"https://{address}/{n}" for n in range(40)]).stdout)
        assert len(found) == 40
        assert {answer["clientIP"] for answer in found} == {own}
        # The load balancer balances by connection, and the memory of a client is each node's own.
        pods = {(answer["node"], answer["pod"]) for answer in found}
        nodes |= {node for node, _ in pods}
        assert len(pods) == len({node for node, _ in pods})
    assert nodes == {"node-1", "node-2", "node-3"}


def test_trace_in_the_running_cluster(cluster) -> None:
    found = json.loads(cluster.switchboard("trace", "outside", f"https://{HOST_NAME}/", "-o", "json").stdout)
    assert (found["kind"], found["verdict"]) == ("Path", "answered")
    assert [service["probability"]["exact"] for service in found["services"]] == ["9/10", "1/10"]
    for output in ("text", "json"):
        cluster.switchboard("trace", "outside", "https://198.51.100.77/", "-o", output, code=1)
        cluster.switchboard("trace", "outside", "nonsense", "-o", output, code=2)


def test_canary_gets_its_tenth_of_a_thousand_requests(cluster, services, status) -> None:
    address = services["switchboard-system/gateway"]["outside"]
    script = (
        "import json, os, pathlib, sys\n"
        "from switchboard.run.machine import LocalMachine\n"
        "from switchboard.serve.outside import RequestPlan\n"
        "plan = RequestPlan(url='https://api.example.com/', addresses={'api.example.com': sys.argv[2]},"
        " requests=1000, ca=pathlib.Path(sys.argv[3]).read_text())\n"
        "found = LocalMachine(os.environ).measure(sys.argv[1], 'client-1', plan, None)\n"
        "print(json.dumps([found.answered, found.statuses, found.pods]))\n"
    )
    out = cluster.host.run(sys.executable, "-c", script, cluster.name, address, status["authority"]).stdout
    answered, statuses, pods = json.loads(out)
    assert (answered, statuses) == (1000, {"200": 1000})
    canary = sum(count for pod, count in pods.items() if "app-v2" in pod)
    assert sum(pods.values()) == 1000
    assert binomial_two_sided_p(canary, 1000, 0.1) > 1e-4
