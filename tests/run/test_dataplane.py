"""Only differences are applied; what a machine refuses becomes findings and is tried anew as a whole."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from switchboard.apply.conntrack_fake import FakeConntrack
from switchboard.apply.nft_fake import FakeNft
from switchboard.base.errors import MachineError
from switchboard.base.findings import Finding
from switchboard.compile.lab import Ranges
from switchboard.compile.modes.nftables import MODE
from switchboard.run.dataplane import Balancer, DataPlane, NodeRules
from switchboard.view.model import ClusterNetwork, View
from switchboard.view.node import Node
from switchboard.view.route import Gateway
from switchboard.view.service import Endpoint, ServicePort

NODES = tuple(Node(name=f"node-{n}", addresses=(f"172.30.0.1{n}",), pod_cidrs=(f"10.244.{n}.0/24",)) for n in (1, 2))
NETWORK = ClusterNetwork(service_cidrs=("10.96.0.0/12",), pod_cidrs=("10.244.0.0/16",))


def view(*pods: str) -> View:
    endpoints = tuple(Endpoint(address, 8080, node="node-1") for address in pods)
    port = ServicePort(
        namespace="shop", name="web", port_name="", protocol="TCP", port=80, type="LoadBalancer",
        cluster_ips=("10.96.0.10",), load_balancer_ips=("198.51.100.1",), endpoints=endpoints,
    )  # fmt: skip
    return View(network=NETWORK, nodes=NODES, services=(port,))


class Nft(FakeNft):
    """Refuses when told to."""

    broken = False

    def apply(self, transaction: str) -> None:
        if self.broken:
            raise MachineError("nft-refused", "nft refuses.", context="line 1")
        super().apply(transaction)


@pytest.fixture
def nft() -> Nft:
    return Nft()


@pytest.fixture
def rules(nft: Nft) -> NodeRules:
    return NodeRules("node-1", nft, FakeConntrack(), MODE, Ranges())


def test_the_same_view_is_no_work_and_a_change_is_a_small_one(rules: NodeRules, nft: Nft) -> None:
    assert rules.sync(view("10.244.1.2")) == ()
    rules.sync(view("10.244.1.2"))
    assert len(nft.transactions) == 1
    rules.sync(view("10.244.1.2", "10.244.1.3"))
    whole, change = nft.transactions
    assert "10.244.1.3" in change
    assert len(change) < len(whole) / 3


def test_pods_that_leave_the_cluster_are_the_nodes_own_table(rules: NodeRules, nft: Nft) -> None:
    rules.sync(view())
    assert "masquerade" in nft.list_table("ip", "switchboard-pods")
    assert "10.96.0.10" in nft.list_table("ip", "kube-proxy")


def test_after_a_refusal_everything_is_written_anew(rules: NodeRules, nft: Nft) -> None:
    rules.sync(view("10.244.1.2"))
    before = nft.list_table("ip", "kube-proxy")
    nft.broken = True
    (finding,) = rules.sync(view("10.244.1.3"))
    assert (finding.reference, finding.object, finding.field) == ("nft-refused", "Node node-1", "line 1")
    assert nft.list_table("ip", "kube-proxy") == before
    nft.broken = False
    assert rules.sync(view("10.244.1.3")) == ()
    assert "10.244.1.3" in nft.list_table("ip", "kube-proxy")
    assert "10.244.1.2" not in nft.list_table("ip", "kube-proxy")


class Kubelet:
    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def call(self, method: str, **params: Any) -> None:
        assert method == "route"
        self.asked.append(params)


def test_the_balancer_announces_what_changes_only() -> None:
    kubelet = Kubelet()
    balancer = Balancer(kubelet)  # type: ignore[arg-type]

    async def play() -> None:
        await balancer.sync(view("10.244.1.2"))
        await balancer.sync(view("10.244.1.2", "10.244.1.3"))
        await balancer.sync(View(network=NETWORK, nodes=NODES[:1], services=view().services))
        await balancer.sync(View(network=NETWORK, nodes=NODES))

    asyncio.run(play())
    first, fewer, gone = kubelet.asked
    assert [route["destination"] for route in first["add"]] == ["198.51.100.1/32"]
    assert first["add"][0]["gateways"] == ("172.30.0.11", "172.30.0.12")
    assert [(route["gateways"]) for route in fewer["add"]] == [("172.30.0.11",)]
    assert (gone["add"], [route["destination"] for route in gone["remove"]]) == ([], ["198.51.100.1/32"])


class Part:
    """Stands for rules or files: finds what it is made with and notes what it got."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings
        self.got: list[Any] = []

    def sync(self, *given: Any) -> tuple[Finding, ...]:
        self.got.append(given)
        return self.findings


def test_all_parts_get_the_view_and_a_finding_of_all_nodes_is_one() -> None:
    same = Finding(reference="x", message="everywhere")
    nodes = [Part(same), Part(same, Finding(reference="y", message="here"))]
    files = Part(Finding(reference="z", message="gateway"))
    plane = DataPlane(nodes, Balancer(Kubelet()), files)  # type: ignore[arg-type]
    served = msgspec.structs.replace(view(), gateways=(Gateway(name="nginx", service="s/gateway"),))
    found = asyncio.run(plane.sync(served, "s/gateway"))
    assert [finding.reference for finding in found] == ["x", "y", "z"]
    assert files.got == [(served, served.gateways[0])]
    asyncio.run(plane.sync(view(), "s/gateway"))
    assert len(files.got) == 1
    assert [len(node.got) for node in nodes] == [2, 2]


def test_gateway_files_are_written_without_any_envoy(tmp_path: Path) -> None:
    from switchboard.compile.gateway import KeyPair
    from switchboard.run.dataplane import GatewayFiles

    files = GatewayFiles(tmp_path / "xds", tmp_path, KeyPair("chain", "key"))
    assert files.sync(view("10.244.1.2"), Gateway(name="nginx", service="shop/web")) == ()
    assert [path for path in (tmp_path / "xds").rglob("*") if path.is_file()]
