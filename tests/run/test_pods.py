"""Scheduled pods become orders for the kubelet, what it says becomes their status, addresses never meet."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.compile.lab import LabOptions
from switchboard.k8s import objects
from switchboard.k8s.manifests import load
from switchboard.run.events import EventRecorder
from switchboard.run.pods import Addresses, Pods, declared_ports, services_of, target_ports
from switchboard.run.population import populate
from switchboard.serve.channel import ChannelError
from switchboard.view.model import View
from switchboard.view.service import Endpoint, ServicePort

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
OPTIONS = LabOptions(nodes=2)
POD = """
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {app: web}}
spec:
  nodeName: NODE
  containers: [{name: c, image: "web:1", ports: [{containerPort: 8080}, {containerPort: 53, protocol: UDP}]}]
"""


class Kubelet:
    """Writes down what it is asked; ``refuse`` is a method that fails."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refuse = ""

    async def call(self, method: str, **params: Any) -> None:
        self.asked.append((method, params))
        await asyncio.sleep(0)
        if method == self.refuse:
            raise ChannelError("it cannot")

    def of(self, method: str) -> list[dict[str, Any]]:
        return [params for asked, params in self.asked if asked == method]


class Cluster:
    def __init__(self, *pods: tuple[str, str]) -> None:
        text = "---".join(POD.replace("NAME", name).replace("NODE", node) for name, node in pods)
        self.store, findings = populate(OPTIONS, load(text, "pods.yaml")[0])
        assert not findings
        self.kubelet = Kubelet()
        events = EventRecorder(self.store, lambda: NOW)
        self.pods = Pods(self.store, self.kubelet, OPTIONS.node_facts(), events)  # type: ignore[arg-type]

    def pod(self, name: str) -> Any:
        return self.store.find("Pod", "default", name)

    def key(self, name: str) -> str:
        pod = self.pod(name)
        return f"{objects.key(pod)}/{objects.uid(pod)}"


def endpoints(*pods: str, service: str = "web", port: int = 9090) -> View:
    found = tuple(Endpoint("10.244.1.2", port, pod=pod) for pod in pods)
    return View(services=(ServicePort(namespace="default", name=service, port_name="", protocol="TCP", port=80,
                                      endpoints=found),))  # fmt: skip


def test_a_scheduled_pod_is_ordered_once_with_its_address_and_ports() -> None:
    cluster = Cluster(("a", "node-1"), ("b", "node-2"), ("c", "elsewhere"))

    async def play() -> None:
        await cluster.pods.sync(endpoints("default/a"))
        await cluster.pods.sync(endpoints("default/a"))

    asyncio.run(play())
    orders = {each["order"]["name"]: each["order"] for each in cluster.kubelet.of("pod.start")}
    assert sorted(orders) == ["a", "b"]
    assert len(cluster.kubelet.of("pod.start")) == 2
    assert orders["a"]["address"] == cluster.pod("a")["status"]["podIP"] == "10.244.1.2"
    assert orders["b"]["address"] == "10.244.2.2"
    assert [tuple(port) for port in orders["a"]["ports"]] == [("TCP", 8080), ("TCP", 9090), ("UDP", 53)]
    assert [tuple(port) for port in orders["b"]["ports"]] == [("TCP", 8080), ("UDP", 53)]
    assert cluster.kubelet.of("pod.service") == [{"key": cluster.key("a"), "service": "web"}]


def test_readiness_is_what_the_kubelet_says_and_its_time_changes_with_it_only() -> None:
    cluster = Cluster(("a", "node-1"))

    async def play() -> None:
        await cluster.pods.sync(View())
        assert cluster.pods.waiting() == ["default/a"]
        await cluster.pods.told(cluster.key("a"), True, 0)

    asyncio.run(play())
    assert cluster.pods.all_ready()
    status = cluster.pod("a")["status"]
    before = {c["type"]: c for c in status["conditions"]}
    assert (status["phase"], before["Ready"]["status"]) == ("Running", "True")
    asyncio.run(cluster.pods.told(cluster.key("a"), False, 2))
    status = cluster.pod("a")["status"]
    after = {c["type"]: c for c in status["conditions"]}
    assert (after["Ready"]["status"], after["Ready"]["reason"]) == ("False", "ContainersNotReady")
    assert after["PodScheduled"] == before["PodScheduled"]
    assert status["containerStatuses"][0]["restartCount"] == 2


def test_word_about_a_pod_that_has_gone_changes_nothing() -> None:
    cluster = Cluster(("a", "node-1"))
    before = cluster.pod("a")
    asyncio.run(cluster.pods.told("default/a/another-uid", True, 0))
    assert cluster.pod("a") == before


def test_a_deleted_pod_is_stopped_once_and_then_forgotten() -> None:
    cluster = Cluster(("a", "node-1"))

    async def play() -> None:
        await cluster.pods.sync(View())
        cluster.store.delete("Pod", "default", "a", grace_period_seconds=7)
        for _ in range(3):
            await cluster.pods.sync(View())
        for _ in range(10):
            await asyncio.sleep(0)

    key = cluster.key("a")
    asyncio.run(play())
    assert cluster.kubelet.of("pod.stop") == [{"key": key, "grace_seconds": 7.0}]
    assert cluster.pod("a") is None


def test_a_pod_may_end_while_services_change() -> None:
    """Its end is a task of its own, between two answers of the kubelet."""
    cluster = Cluster(*((f"p{number}", "node-1") for number in range(4)))

    async def play() -> None:
        await cluster.pods.sync(View())
        cluster.store.delete("Pod", "default", "p3", grace_period_seconds=1)
        await cluster.pods.sync(endpoints("default/p0", "default/p1", "default/p2"))

    asyncio.run(play())
    assert len(cluster.kubelet.of("pod.service")) == 3


def test_a_pod_that_cannot_be_started_says_so_in_an_event() -> None:
    cluster = Cluster(("a", "node-1"))
    cluster.kubelet.refuse = "pod.start"
    asyncio.run(cluster.pods.sync(View()))
    (event,) = [e for e in cluster.store.list("Event")[0] if e["reason"] == "FailedCreatePodSandBox"]
    assert "it cannot" in str(event)
    assert not cluster.pods.all_ready()


def test_two_services_name_none() -> None:
    both = View(services=(*endpoints("default/a").services, *endpoints("default/a", service="web-2").services))
    assert services_of(both) == {"default/a": {"web", "web-2"}}
    assert target_ports(both) == {"default/a": frozenset({("TCP", 9090)})}
    cluster = Cluster(("a", "node-1"))
    asyncio.run(cluster.pods.sync(both))
    assert cluster.kubelet.of("pod.service") == []


def test_ports_without_protocol_are_tcp() -> None:
    assert list(declared_ports({"containers": [{"ports": [{"containerPort": 1}]}, {}]})) == [("TCP", 1)]
    assert list(declared_ports({})) == []


@given(st.lists(st.one_of(st.none(), st.integers(0, 20)), max_size=200))
def test_addresses_are_unique_and_rest_as_long_as_possible(moves: list[int | None]) -> None:
    """None takes an address, a number gives one back; the range has room for 13."""
    network = ip_network("10.0.0.0/28")
    addresses = Addresses(str(network))
    held: dict[str, str] = {}
    for number, move in enumerate(moves):
        if move is not None:
            owner = f"o{move}"
            held.pop(owner, None)
            addresses.release(owner)
            continue
        owner = next((f"o{n}" for n in range(21) if f"o{n}" not in held), f"x{number}")
        if len(held) == 13:
            with pytest.raises(LookupError, match="no free address"):
                addresses.take(owner)
            continue
        address = addresses.take(owner)
        assert address not in held.values()
        assert ip_address(address) in network
        assert address not in ("10.0.0.0", "10.0.0.1", "10.0.0.15")
        held[owner] = address


def test_a_freed_address_is_not_given_at_once() -> None:
    addresses = Addresses("10.0.0.0/24")
    first = addresses.take("a")
    addresses.release("a")
    assert addresses.take("b") != first


def test_a_pod_that_could_not_be_started_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address is free in the meantime, and a wait keeps the event it causes from trying at once."""
    cluster = Cluster(("a", "node-1"))
    cluster.kubelet.refuse = "pod.start"
    clock = 100.0

    async def play() -> None:
        nonlocal clock
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: clock)
        await cluster.pods.sync(View())
        await cluster.pods.sync(View())
        assert len(cluster.kubelet.of("pod.start")) == 1
        assert cluster.pods.failing
        assert not cluster.pods.all_ready()
        cluster.kubelet.refuse = ""
        clock += 60.0
        await cluster.pods.sync(View())

    asyncio.run(play())
    assert len(cluster.kubelet.of("pod.start")) == 2
    assert not cluster.pods.failing
    events = [event for event in cluster.store.list("Event")[0] if event["reason"] == "FailedCreatePodSandBox"]
    assert [event["message"] for event in events] == ["Failed to create pod sandbox: it cannot"]


def test_a_pod_without_an_address_waits_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(("a", "node-1"))
    monkeypatch.setattr(Addresses, "take", lambda self, owner: (_ for _ in ()).throw(LookupError("no free address")))
    asyncio.run(cluster.pods.sync(View()))
    assert cluster.pods.failing
    assert not cluster.kubelet.of("pod.start")
