"""Loading a node's rules: 10,000 Services of 10 endpoints from nothing, then one endpoint changes.

Beside it, in the same run, the layout of kube-proxy's nftables mode (a chain with an anonymous map for each Service) at
4,000 Services, as a ratio of ours to it.  Runs in a network namespace of its own.
"""

from __future__ import annotations

import os
import statistics
import time

import msgspec

from switchboard.apply import netns
from switchboard.apply.nft import KernelNft
from switchboard.compile.modes._mode import ProxyOptions
from switchboard.compile.modes.nftables import MODE
from switchboard.rules.nft_difference import difference, replacement
from switchboard.view.model import ClusterNetwork, View
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort

PEER = 4000
GOAL_LOAD, GOAL_CHANGE = 2.5, 0.020
RECORDED = "28.6, 33.5 and 49.2 s in three runs of kube-proxy 1.36"


def view(services: int, endpoints: int) -> View:
    ports = tuple(
        ServicePort(
            namespace="bench",
            name=f"s{i}",
            port_name="",
            protocol="TCP",
            port=80,
            cluster_ips=(f"10.{96 + (i >> 16)}.{i >> 8 & 255}.{i & 255}",),
            endpoints=tuple(
                Endpoint(f"10.{128 + (n >> 16 & 63)}.{n >> 8 & 255}.{n & 255}", 8080, node=f"node-{n % 10}")
                for n in range(i * endpoints, (i + 1) * endpoints)
            ),
        )
        for i in range(1, services + 1)
    )
    network = ClusterNetwork(service_cidrs=("10.96.0.0/12",), pod_cidrs=("10.128.0.0/10",))
    return View(network=network, nodes=(Node(name="node-1", addresses=("172.30.0.11",)),), services=ports)


def peer(facts: View) -> str:
    """The same Services as kube-proxy lays them out: a chain and an anonymous map for each."""
    lines = ["table ip peer {", " map services { type ipv4_addr . inet_proto . inet_service : verdict; elements = {"]
    lines.append(", ".join(f"{p.cluster_ips[0]} . tcp . 80 : goto {p.name}" for p in facts.services) + " } }")
    for p in facts.services:
        targets = ", ".join(f"{n} : {e.address} . {e.port}" for n, e in enumerate(p.endpoints))
        choice = f"numgen random mod {len(p.endpoints)} map {{ {targets} }}"
        lines.append(f" chain {p.name} {{ meta l4proto tcp dnat ip to {choice}; }}")
    lines.append(" chain prerouting { type nat hook prerouting priority -100;"
                 " ip daddr . meta l4proto . th dport vmap @services; }\n}\n")  # fmt: skip
    return "\n".join(lines)


def timed(work: object, *arguments: object) -> tuple[float, object]:
    began = time.perf_counter()
    result = work(*arguments)  # type: ignore[operator]
    return time.perf_counter() - began, result


def main() -> None:
    uid, gid = os.getuid(), os.getgid()
    netns.unshare(netns.CLONE_NEWNET | (netns.CLONE_NEWUSER if uid else 0))
    if uid:
        netns.map_root(uid, gid)
    nft, options = KernelNft(seconds=600), ProxyOptions()

    small = view(PEER, 10)
    ours, theirs = [], []
    for _ in range(3):
        rules, _ = MODE.compile(small, "node-1", options)
        ours.append(timed(nft.apply, replacement(rules).render())[0])
        nft.apply("delete table ip kube-proxy\ndelete table ip6 kube-proxy\n")
        theirs.append(timed(nft.apply, peer(small))[0])
        nft.apply("delete table ip peer\n")
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"{PEER:,} Services x 10, apply: {statistics.median(ours):.2f} s; kube-proxy's layout in the same run "
          f"{statistics.median(theirs):.2f} s; ratio {ratio:.2f}")  # fmt: skip

    facts = view(10_000, 10)
    compiled, (rules, _) = timed(MODE.compile, facts, "node-1", options)
    rendered, text = timed(lambda: replacement(rules).render())
    applied, _ = timed(nft.apply, text)
    total = compiled + rendered + applied
    print(f"10,000 Services x 10 from nothing: {total:.2f} s (compile {compiled:.2f}, render {rendered:.2f}, "
          f"apply {applied:.2f}); goal {GOAL_LOAD} s; recorded: {RECORDED}")  # fmt: skip

    took = []
    for round_ in range(5):
        changed = facts.services[5000]
        moved = msgspec.structs.replace(changed.endpoints[3], address=f"10.191.255.{round_ + 1}")
        port = msgspec.structs.replace(changed, endpoints=(*changed.endpoints[:3], moved, *changed.endpoints[4:]))
        new = msgspec.structs.replace(facts, services=(*facts.services[:5000], port, *facts.services[5001:]))
        began = time.perf_counter()
        desired, _ = MODE.compile(new, "node-1", options)
        nft.apply(difference(rules, desired).render())
        took.append(time.perf_counter() - began)
        rules = desired
    print(f"one endpoint changes at that size: median {statistics.median(took) * 1000:.0f} ms; "
          f"goal {GOAL_CHANGE * 1000:.0f} ms; recorded for kube-proxy 4,600 ms")  # fmt: skip


if __name__ == "__main__":
    main()
