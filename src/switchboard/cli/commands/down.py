"""``down``: end an embedded cluster and remove whatever is left of it."""

from __future__ import annotations

import click

from switchboard.cli.ports import Machine


@click.command("down")
@click.option("--name", default="default", show_default=True, help="Name of the cluster.")
@click.pass_obj
def COMMAND(machine: Machine, name: str) -> int:  # noqa: N802 - the constant that discovery looks for
    """End an embedded cluster; also removes what a crash has left."""
    if machine.stop(name):
        click.echo(f"cluster {name} has ended, nothing of it is left")
    else:
        click.echo(f"no cluster {name} is running, and nothing of one is left")
    return 0
