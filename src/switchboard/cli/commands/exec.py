"""``exec``: run a program where an outside client, a node or a pod is."""

from __future__ import annotations

import click

from switchboard.cli.ports import Machine


@click.command("exec", context_settings={"ignore_unknown_options": True})
@click.option("--name", default="default", show_default=True, help="Name of the cluster.")
@click.argument("namespace")
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def COMMAND(  # noqa: N802 - the constant that discovery looks for
    machine: Machine, name: str, namespace: str, arguments: tuple[str, ...]
) -> int:
    """Run a program of this machine in a network namespace: client-1, node-1, cloud, internet, or a pod.

    A pod is named NAMESPACE/NAME.  Example: switchboard exec client-1 -- curl -k https://198.51.100.1/
    """
    return machine.execute(name, namespace, arguments)
