"""The tables of a cluster."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from rich.console import Console

from switchboard.cli.render.cluster import ClusterTables
from switchboard.view.model import View

CASES = Path(__file__).parents[2] / "cases" / "trace"


@pytest.fixture
def view() -> View:
    return msgspec.json.decode((CASES / "payments-view.json").read_bytes(), type=View)


def rows(view: View, *, terminal: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), force_terminal=terminal, no_color=True, width=100)
    console.print(ClusterTables(view))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return [" ".join(line.split()) for line in text.splitlines()]


def change(view: View, service: str, **facts: Any) -> View:
    return replace(view, services=tuple(replace(s, **facts) if s.name == service else s for s in view.services))


def test_tables(view: View) -> None:
    found = rows(view)
    for row in (
        "node-1 zone-a 172.18.0.1 4 ready",
        "payments/app-v1 ClusterIP 10.96.0.11 - 80->8080 4/4",
        "gateway/gateway LoadBalancer 10.96.0.13 198.51.100.10 443:30443->8443, 80->8080 2/2",
        "https://api.example.com/ payments/app-v1:80 (10 % payments/app-v2) Ingress payments/api",
        "payments/app-v2-1 node-2 10.244.2.11 app:2 ready",
    ):
        assert row in found
    assert all(line.isascii() for line in found)


def test_trouble_shows(view: View) -> None:
    nodes = (replace(view.nodes[0], ready=False), replace(view.nodes[1], load_balanced=False), view.nodes[2])
    pods = (replace(view.pods[0], ready=False), replace(view.pods[1], terminating=True), replace(view.pods[2], node=""))
    troubled = change(replace(view, nodes=nodes, pods=pods), "gateway", load_balancer_ips=(), endpoints=())
    route = replace(view.gateways[0].routes[0], backend=None, host="")
    text = "\n".join(rows(replace(troubled, gateways=(replace(view.gateways[0], routes=(route,)),))))
    for words in (
        "1 not ready",
        "1 ready, not load balanced",
        "LoadBalancer 10.96.0.13 pending",
        "0/0",
        "http://*/ nothing",
        "app:1 not ready",
        "terminating",
        "- 10.244.1.12 app:1 pending",
    ):
        assert words in text, words


def test_long_lists_are_cut_and_empty_tables_left_out(view: View) -> None:
    pods = tuple(replace(view.pods[0], name=f"p-{i}") for i in range(50))
    assert "... and 20 more" in rows(replace(view, pods=pods))
    assert rows(View()) == []


def test_terminal(view: View) -> None:
    assert any("443:30443→8443" in line for line in rows(view, terminal=True))
