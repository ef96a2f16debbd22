"""Shows a cluster coming up, and what to try when it is: shared by ``up`` and ``demo``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from switchboard.base.errors import SwitchboardError
from switchboard.cli.ports import ClusterStatus, Event, Starting
from switchboard.cli.render.figures import Glyphs
from switchboard.view.model import View


class StartError(SwitchboardError):
    """A cluster that did not come up, as its processes told."""

    def __init__(self, event: Event) -> None:
        super().__init__(event.reference, event.text, context=event.context, hint=event.hint)
        self.exit_code = event.exit_code


@contextmanager
def owned(starting: Starting, console: Console) -> Iterator[None]:
    """Ends the cluster when the block fails or a person interrupts it; an interrupt is no failure."""
    try:
        yield
    except BaseException:
        if not starting.interrupted:
            starting.stop()
            raise
    if starting.interrupted:
        console.print("\nending the cluster …")
        starting.stop()


def follow(starting: Starting, console: Console) -> float:
    """Prints each step; returns the seconds until ready; raises StartError."""
    sign = Glyphs(console).good
    with console.status("starting …"):
        for event in starting.events():
            if event.kind == "step":
                console.print(Text.assemble((sign, "green"), f" {event.text}", (f"  {event.seconds:.2f} s", "dim")))
            elif event.kind == "failed":
                raise StartError(event)
            elif event.kind == "ready":
                return event.seconds
    raise StartError(Event(kind="failed", reference="start-ended", text="The cluster ended while it was starting."))


def next_steps(status: ClusterStatus, view: View) -> list[tuple[str, str]]:
    """(what, command) pairs for a running cluster."""
    name = "" if status.name == "default" else f" --name {status.name}"
    found = [("look at it", f"switchboard status{name}")]
    hosts = [route.host for gateway in view.gateways for route in gateway.routes if route.host]
    gateway = next((g for g in view.gateways), None)
    address = next(
        (p.load_balancer_ips[0] for p in view.services if gateway and f"{p.namespace}/{p.name}" == gateway.service
         and p.load_balancer_ips), "",
    )  # fmt: skip
    if hosts and address:
        host, ca = hosts[0], status.authority
        port = status.forwarded.get("https")
        found.append(("the path of a request", f"switchboard trace outside https://{host}/{name}"))
        if port:
            curl = f"curl --cacert {ca} --resolve {host}:{port}:127.0.0.1 https://{host}:{port}/"
            found.append(("from this machine", curl))
        if status.reachable:
            found.append(("by its address", f"curl --cacert {ca} --resolve {host}:443:{address} https://{host}/"))
        curl = f"curl --cacert {ca} --resolve {host}:443:{address} https://{host}/"
        found.append(("as an outside user", f"switchboard exec{name} client-1 -- {curl}"))
    if "api" in status.forwarded:
        found.append(("with kubectl", f"kubectl --kubeconfig {status.directory}/kubeconfig get all -A"))
    found.append(("node rules", f"switchboard exec{name} node-1 -- nft list ruleset"))
    found.append(("end it", f"switchboard down{name}"))
    return found


def print_next_steps(status: ClusterStatus, view: View, console: Console) -> None:
    """Commands to copy; never wrapped."""
    console.print(Text("What to try next", "bold"))
    for what, command in next_steps(status, view):
        console.print(Text.assemble("  ", (f"{what:<22}", "cyan"), command), soft_wrap=True)
