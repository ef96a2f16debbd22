"""``demo``: publish the bundled payment example, show the path, send real requests, prove the split."""

from __future__ import annotations

import sys
from importlib import resources

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.rule import Rule

from switchboard.cli import input as reading
from switchboard.cli.ports import Machine
from switchboard.cli.render.cluster import ClusterTables
from switchboard.cli.render.figures import console_for
from switchboard.cli.render.measurement import MeasurementReport, SplitReport
from switchboard.cli.render.path import PathPicture
from switchboard.cli.starting import follow, owned, print_next_steps
from switchboard.compile.lab import LabOptions
from switchboard.serve.outside import RequestPlan
from switchboard.serve.tally import Measurement
from switchboard.trace.path import trace
from switchboard.trace.request import OutsideRequest

URL = "https://api.example.com/"


@click.command("demo")
@click.option("--requests", type=click.IntRange(1, 1_000_000), default=1000, show_default=True)
@click.option("--stay", is_flag=True, help="Leave the cluster up until Ctrl-C.")
@click.option("--name", default="demo", show_default=True, help="Name of the cluster.")
@click.pass_obj
def COMMAND(machine: Machine, requests: int, stay: bool, name: str) -> int:  # noqa: N802 - discovery's constant
    """Publish the bundled payment example and show real traffic through every hop."""
    console = console_for(sys.stdout)
    example = str(resources.files("switchboard").joinpath("examples", "payments"))
    errors = console_for(sys.stderr)
    manifests = reading.manifests(machine, (example,), False, errors)
    console.print(Rule("Start", align="left"))
    console.print(f"runtime: {machine.runtime()}")
    starting = reading.start(machine, LabOptions(name=name), manifests, errors, attached=True)
    failed = 0
    with owned(starting, console):
        seconds = follow(starting, console)
        console.print(f"ready after {seconds:.2f} s")
        failed = _show(machine, name, requests, console)
        if stay:
            console.print("\nCtrl-C ends the cluster.")
            failed = starting.wait() or failed
        else:
            starting.stop()
            console.print("\nThe cluster has ended and nothing of it is left; `--stay` keeps it up.")
    return 0 if starting.interrupted else failed


def _show(machine: Machine, name: str, requests: int, console: Console) -> int:
    """All parts of the demonstration; 1 when a request was not answered."""
    status, view = machine.status(name), machine.view(name)
    console.print()
    console.print(ClusterTables(view))
    path = trace(view, OutsideRequest(url=URL))
    console.print(Rule(f"The path of {URL}", align="left"))
    console.print(PathPicture(path))
    console.print(Rule(f"{requests:,} requests from an outside client", align="left"))
    ca = machine.read_manifests((status.authority,), False)[0][1]
    address = next(
        (p.load_balancer_ips[0] for g in view.gateways for p in view.services
         if f"{p.namespace}/{p.name}" == g.service and p.load_balancer_ips), "",
    )  # fmt: skip
    plan = RequestPlan(url=URL, addresses={"api.example.com": address}, requests=requests, ca=ca)
    found = _measure(machine, name, plan, console)
    console.print(MeasurementReport(found))
    console.print()
    console.print(SplitReport(path, found))
    console.print()
    print_next_steps(status, view, console)
    return 0 if found.answered == found.requested and set(found.statuses) == {200} else 1


def _measure(machine: Machine, name: str, plan: RequestPlan, console: Console) -> Measurement:
    columns = (TextColumn("requests"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("requests", total=plan.requests)
        return machine.measure(name, "client-1", plan, lambda done, _: bar.update(task, completed=done))
