"""``status``: what runs, where it is reachable, what it needs."""

from __future__ import annotations

import sys

import click

from switchboard.cli.input import print_findings
from switchboard.cli.ports import Machine, to_json
from switchboard.cli.render.cluster import ClusterTables
from switchboard.cli.render.figures import console_for
from switchboard.cli.starting import print_next_steps


@click.command("status")
@click.option("--name", default="default", show_default=True, help="Name of the cluster.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def COMMAND(machine: Machine, name: str, output: str) -> int:  # noqa: N802 - the constant that discovery looks for
    """Show the running cluster: nodes, pods, Services with addresses, findings, memory."""
    status = machine.status(name)
    if output == "json":
        click.echo(to_json(status))
        return 0
    console = console_for(sys.stdout)
    state = "ready" if status.ready else f"starting, {len(status.waiting)} pods not ready"
    total = sum(status.memory.values()) / 2**20
    parts = ", ".join(f"{part} {size / 2**20:.0f}" for part, size in sorted(status.memory.items()))
    console.print(f"cluster {status.name}: {state} · runtime {status.runtime} · {total:.0f} MiB ({parts})\n")
    view = machine.view(name)
    console.print(ClusterTables(view))
    console.print()
    if status.findings:
        print_findings(status.findings, console)
        console.print()
    print_next_steps(status, view, console)
    return 0
