"""A cluster at a glance: nodes, what is published where, Services, pods.

Comes in: a ``View``.  Goes out: something that a rich console prints.  Called by ``status`` and the demo.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from switchboard.cli.render.figures import Glyphs, percent, table
from switchboard.trace.canary import decide
from switchboard.trace.route import names_host
from switchboard.view.model import View
from switchboard.view.node import Node, Pod
from switchboard.view.route import Gateway, Route
from switchboard.view.service import ServicePort

_MOST_ROWS = 30


class ClusterTables:
    """Prints the tables of a view; parts without rows are left out."""

    def __init__(self, view: View) -> None:
        """The view is not changed."""
        self._view = view

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Called by rich."""
        del options
        made = (
            _nodes(self._view, console),
            _services(self._view, console),
            _published(self._view, console),
            _pods(self._view, console),
        )
        for i, part in enumerate(part for part in made if part.row_count):
            if i:
                yield Text("")
            yield part


def _nodes(view: View, console: Console) -> Table:
    made = _columns(console, "Nodes", "name", "zone", "addresses", "pods", "state")
    for node in view.nodes[:_MOST_ROWS]:
        pods = sum(1 for p in view.pods if p.node == node.name)
        made.add_row(node.name, node.zone or "-", _join(node.addresses), str(pods), _node_state(node))
    return _more(made, len(view.nodes), console)


def _node_state(node: Node) -> Text:
    if not node.ready:
        return Text("not ready", "red")
    return Text("ready", "green") if node.load_balanced else Text("ready, not load balanced", "yellow")


def _services(view: View, console: Console) -> Table:
    made = _columns(console, "Services", "name", "type", "inside", "outside", "ports", "ready")
    by_name: dict[str, list[ServicePort]] = {}
    for port in view.services:
        by_name.setdefault(f"{port.namespace}/{port.name}", []).append(port)
    for name, ports in list(by_name.items())[:_MOST_ROWS]:
        made.add_row(
            name,
            "headless" if ports[0].headless else ports[0].type,
            _join(ports[0].cluster_ips) or "-",
            _outside(ports),
            _join(_port(p, console) for p in ports),
            _ready(ports),
        )
    return _more(made, len(by_name), console)


def _outside(ports: list[ServicePort]) -> Text:
    addresses = _join(dict.fromkeys(a for p in ports for a in (*p.load_balancer_ips, *p.external_ips)))
    if addresses:
        return Text(addresses, "bold")
    return Text("pending", "yellow") if ports[0].type == "LoadBalancer" else Text("-")


def _port(port: ServicePort, console: Console) -> str:
    """``443:30443→8443``: the port, its NodePort, and the port of the pods when it differs."""
    targets = sorted({e.port for e in port.endpoints})
    number = f"{port.port}" + (f":{port.node_port}" if port.node_port else "")
    to = Glyphs(console).to + "/".join(map(str, targets)) if targets not in ([], [port.port]) else ""
    return number + to + (f"/{port.protocol}" if port.protocol != "TCP" else "")


def _ready(ports: list[ServicePort]) -> Text:
    """Ready endpoints of the port that has the fewest, out of its endpoints."""
    ready, total = min((sum(e.ready for e in p.endpoints), len(p.endpoints)) for p in ports)
    return Text(f"{ready}/{total}", "red" if not ready else "" if ready == total else "yellow")


def _published(view: View, console: Console) -> Table:
    made = _columns(console, "Published", "URL", "Service", "by")
    rows = [(gateway, route) for gateway in view.gateways for route in gateway.routes]
    for gateway, route in rows[:_MOST_ROWS]:
        made.add_row(_url(gateway, route), _target(route), route.owner)
    return _more(made, len(rows), console)


def _url(gateway: Gateway, route: Route) -> str:
    scheme = "https" if route.host and names_host(gateway.certificates, route.host) else "http"
    return f"{scheme}://{route.host or '*'}{route.path or '/'}"


def _target(route: Route) -> Text:
    if route.backend is None:
        return Text("nothing", "red")
    target = Text(f"{route.backend.service}:{route.backend.port}")
    if route.canary:
        share = percent(decide(route.canary, {}, {}).share)
        target.append(f" ({share} {route.canary.backend.service})", "yellow")
    return target


def _pods(view: View, console: Console) -> Table:
    # Without zones, which the table of nodes has: names of pods need the room.
    made = _columns(console, "Pods", "name", "node", "address", "images", "state")
    for pod in view.pods[:_MOST_ROWS]:
        made.add_row(pod.key, pod.node or "-", _join(pod.addresses) or "-", _join(pod.images) or "-", _pod_state(pod))
    return _more(made, len(view.pods), console)


def _pod_state(pod: Pod) -> Text:
    if pod.terminating:
        return Text("terminating", "yellow")
    if not pod.node:
        return Text("pending", "yellow")
    return Text("ready", "green") if pod.ready else Text("not ready", "red")


def _columns(console: Console, title: str, *names: str) -> Table:
    made = table(console, title)
    for i, name in enumerate(names):
        made.add_column(name, no_wrap=True, overflow="ellipsis", style="bold" if i == 0 else "")
    return made


def _more(made: Table, total: int, console: Console) -> Table:
    if total > _MOST_ROWS:
        made.add_row(f"{Glyphs(console).dots} and {total - _MOST_ROWS} more")
    return made


def _join(parts: Iterable[str]) -> str:
    return ", ".join(parts)
