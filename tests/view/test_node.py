"""Facts about nodes and pods."""

from __future__ import annotations

import msgspec

from switchboard.view.node import Node, Pod, PodPort


def test_pods_are_known_by_namespace_and_name() -> None:
    assert Pod(namespace="shop", name="web-0").key == "shop/web-0"


def test_facts_survive_json() -> None:
    pod = Pod(namespace="shop", name="web-0", ports=(PodPort("http", 8080),), labels={"app": "web"})
    assert msgspec.json.decode(msgspec.json.encode(pod), type=Pod) == pod
    node = Node(name="node-1", addresses=("172.30.0.11",), zone="a")
    assert msgspec.json.decode(msgspec.json.encode(node), type=Node) == node
