"""``up``: start an embedded cluster, from manifests or empty."""

from __future__ import annotations

import sys

import click

from switchboard.cli import input as reading
from switchboard.cli.ports import Machine
from switchboard.cli.render.cluster import ClusterTables
from switchboard.cli.render.figures import console_for
from switchboard.cli.starting import follow, owned, print_next_steps
from switchboard.compile.lab import LabOptions


def options(
    nodes: int, zones: str, name: str, http_port: int, https_port: int, host_link: bool, api_port: int = 6443
) -> LabOptions:
    """The lab that the flags describe."""
    named = tuple(zone.strip() for zone in zones.split(",") if zone.strip())
    return LabOptions(
        name=name,
        nodes=nodes,
        zones=named,
        http_port=http_port,
        https_port=https_port,
        api_port=api_port,
        host_link=host_link,
    )


def cluster_name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Refuses names that are no file name or too long for a socket's path."""
    del context, parameter
    if not value or len(value) > 40 or not all(c.isascii() and (c.isalnum() or c == "-") for c in value):
        raise click.BadParameter("letters, digits and - only, at most 40")
    return value


@click.command("up")
@reading.OPTIONS[0]
@reading.OPTIONS[1]
@click.option("--nodes", type=click.IntRange(1, 50), default=3, show_default=True, help="How many nodes.")
@click.option("--zones", default="zone-a,zone-b,zone-c", show_default=True, help="Zones, dealt to the nodes in turn.")
@click.option("--name", default="default", show_default=True, help="Name of the cluster.", callback=cluster_name)
@click.option("--http-port", type=click.IntRange(0, 65535), default=8080, show_default=True,
              help="Port of 127.0.0.1 that leads to the gateway's port 80; 0 for none.")  # fmt: skip
@click.option("--https-port", type=click.IntRange(0, 65535), default=8443, show_default=True,
              help="The same for port 443.")  # fmt: skip
@click.option("--api-port", type=click.IntRange(0, 65535), default=6443, show_default=True,
              help="Port of 127.0.0.1 where the Kubernetes API is served; 0 for none.")  # fmt: skip
@click.option("--host-link/--no-host-link", default=True, help="As root: join this machine by a link and its routes.")
@click.option("-d", "--detach", is_flag=True, help="Leave it running in the background.")
@click.pass_obj
def COMMAND(  # noqa: N802 - the constant that discovery looks for
    machine: Machine,
    files: tuple[str, ...],
    recursive: bool,
    nodes: int,
    zones: str,
    name: str,
    http_port: int,
    https_port: int,
    api_port: int,
    host_link: bool,
    detach: bool,
) -> int:
    """Start an embedded cluster and publish the manifests given with -f.

    Stays in the foreground until Ctrl-C unless --detach is given.
    """
    console = console_for(sys.stdout)
    errors = console_for(sys.stderr)
    manifests = reading.manifests(machine, files, recursive, errors)
    console.print(f"runtime: {machine.runtime()}")
    lab = options(nodes, zones, name, http_port, https_port, host_link, api_port)
    starting = reading.start(machine, lab, manifests, errors, attached=not detach)
    code = 0
    with owned(starting, console):
        seconds = follow(starting, console)
        view, status = machine.view(name), machine.status(name)
        console.print(f"ready after {seconds:.2f} s\n")
        console.print(ClusterTables(view))
        console.print()
        print_next_steps(status, view, console)
        if not detach:
            console.print("\nCtrl-C ends the cluster.")
            sys.stdout.flush()
            code = starting.wait()
    return 0 if starting.interrupted else code
