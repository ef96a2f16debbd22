"""``switchboard rules``: what a node would get, or what its real rules do differently.

Comes in: manifests with Nodes, Services and EndpointSlices, or a running cluster.  Goes out: rules as text with
comments that name the Services, or with ``--diff`` the packets whose end is another under a node's saved rules.
Exit code 0, with ``--diff`` 1 when something differs or cannot be told, 2 for wrong usage or unreadable input.
Called by ``cli.program``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from switchboard.base.discovery import load, stems
from switchboard.base.errors import UsageError
from switchboard.base.findings import Severity
from switchboard.cli import input as reading
from switchboard.cli.input import manifests, print_findings
from switchboard.cli.ports import Machine
from switchboard.cli.render.figures import console_for
from switchboard.compile.modes._mode import Mode, ProxyOptions
from switchboard.trace.rules.compare import compare, probes, read
from switchboard.trace.rules.packet import Host
from switchboard.view.build import build
from switchboard.view.model import View
from switchboard.view.node import Node

_MODES = "switchboard.compile.modes"
_COMPARED = ("nftables", "iptables")


def view_of(machine: Machine, files: tuple[str, ...], recursive: bool, name: str) -> View:
    """The view of manifests, or of a running cluster without any; findings go to standard error."""
    if not files:
        return machine.view(name)
    console = console_for(sys.stderr)
    objects: dict[str, list[dict[str, object]]] = {}
    for manifest in manifests(machine, files, recursive, console):
        objects.setdefault(str(manifest.object.get("kind", "")), []).append(manifest.object)
    view, findings = build(objects)
    print_findings(findings, console)
    return view


def node_of(view: View, name: str) -> Node:
    """The node of this name, or the only one; raises UsageError."""
    found = [n for n in view.nodes if n.name == name or not name]
    if len(found) == 1:
        return found[0]
    known = ", ".join(n.name for n in view.nodes) or "none"
    said = f"There is no node {name}." if name else "Which node is not said."
    raise UsageError("no-node", said, hint=f"Write --node with one of these: {known}.")


def _saved(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("unreadable-rules", f"{file} cannot be read: {error}.") from error


@click.command("rules", short_help="Rules that a node would get, or what its real ones do differently.")
@reading.OPTIONS[0]
@reading.OPTIONS[1]
@click.option("--mode", type=click.Choice(stems(_MODES)), default="nftables", show_default=True, help="Proxy mode.")
@click.option("--node", default="", metavar="NAME", help="The node; needed when there are several.")
@click.option("--name", default="default", show_default=True, help="Name of the cluster.")
@click.option("--cluster-cidr", default="", metavar="CIDR,...", help="Ranges of pods, if not those of the nodes.")
@click.option("--nodeport-addresses", default="", metavar="CIDR,...", help="Where NodePorts answer.")
@click.option("--masquerade-all", is_flag=True, help="Masquerade everything to cluster addresses.")
@click.option("--diff", type=click.Path(path_type=Path), default=None, metavar="FILE",
              help="Compare with a saved `nft list ruleset` or `iptables-save` of the node.")  # fmt: skip
@click.pass_obj
def COMMAND(  # noqa: N802 - the constant that discovery looks for
    machine: Machine,
    files: tuple[str, ...],
    recursive: bool,
    mode: str,
    node: str,
    name: str,
    cluster_cidr: str,
    nodeport_addresses: str,
    masquerade_all: bool,
    diff: Path | None,
) -> int:
    """Print the rules that a node would get in a proxy mode, from manifests (-f) or from a running cluster.

    Manifests need the Nodes, and the EndpointSlices that the Services have.
    With --diff, packets to every Service are asked of these rules and of the saved ones, whoever wrote them.
    """
    view = view_of(machine, files, recursive, name)
    found = node_of(view, node)
    settings = ProxyOptions(
        cluster_cidrs=tuple(filter(None, cluster_cidr.split(","))) or None,
        node_port_addresses=tuple(filter(None, nodeport_addresses.split(","))),
        masquerade_all=masquerade_all,
    )
    chosen: Mode = load(_MODES, mode, "MODE")
    rules, findings = chosen.compile(view, found.name, settings)
    print_findings([f for f in findings if f.severity is not Severity.INFO], console_for(sys.stderr))
    text = chosen.render(rules, view)
    if diff is None:
        click.echo(text, nl=False)
        return 0
    if mode not in _COMPARED:
        raise UsageError("mode-not-compared", f"Rules of mode {mode} cannot be compared; {_COMPARED} can.")
    return _difference(mode, text, _saved(diff), view, found)


def _difference(mode: str, text: str, saved: str, view: View, node: Node) -> int:
    """Prints what differs, packet by packet; 1 when something does or cannot be told."""
    host = Host(node.addresses, route_loopback=mode == "iptables")
    differences, findings, count = compare(read(mode, text), read(mode, saved), probes(view, node), host)
    for d in differences:
        asked = d.probe.packet
        place = f"[{asked.destination}]" if ":" in asked.destination else asked.destination
        click.echo(f"{d.probe.service}: {d.probe.source} {asked.source} to {place}:{asked.port} {asked.protocol}")
        click.echo(f"  wanted  {d.ours}\n  saved   {d.theirs}")
    print_findings(findings, console_for(sys.stderr))
    click.echo(f"{count} packets compared, {len(differences)} differ, {len(findings)} rules not understood")
    return 1 if differences or findings or not count else 0
