"""``apiserver``: the Kubernetes API alone, without nodes and pods."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path

import click

from switchboard.cli.ports import ApiOptions, Machine


def address(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, int]:
    """``HOST:PORT``, IPv6 in brackets; port 0 is a free one."""
    del context, parameter
    host, _, port = value.rpartition(":")
    try:
        ipaddress.ip_address(host.strip("[]"))
        number = int(port)
    except ValueError:
        raise click.BadParameter("write ADDRESS:PORT, for example 127.0.0.1:6443") from None
    if not 0 <= number <= 65535:
        raise click.BadParameter("a port is at most 65535")
    return host.strip("[]"), number


def ranges(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    """One or two ranges of different families."""
    del context, parameter
    found = tuple(part.strip() for part in value.split(",") if part.strip())
    try:
        families = [ipaddress.ip_network(part).version for part in found]
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if not found or len(set(families)) != len(families):
        raise click.BadParameter("one range, or one of each family")
    return found


@click.command("apiserver")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Where objects, certificates and the kubeconfig are kept.")  # fmt: skip
@click.option("--bind", default="127.0.0.1:6443", show_default=True, callback=address, help="Where to listen.")
@click.option("--token", "tokens", multiple=True, help="A bearer token of an administrator; may be repeated.")
@click.option("--service-cluster-ip-range", default="10.96.0.0/12", show_default=True, callback=ranges,
              help="Addresses of Services; one of each family, with a comma.")  # fmt: skip
@click.pass_obj
def COMMAND(  # noqa: N802 - the constant that discovery looks for
    machine: Machine,
    data_dir: Path,
    bind: tuple[str, int],
    tokens: tuple[str, ...],
    service_cluster_ip_range: tuple[str, ...],
) -> int:
    """Serve the Kubernetes API over HTTPS until Ctrl-C.

    Every kubectl works against it: export KUBECONFIG=DIR/kubeconfig.
    """
    host, port = bind
    options = ApiOptions(
        data_dir=data_dir.absolute(), host=host, port=port, tokens=tokens, service_cidrs=service_cluster_ip_range
    )

    def ready(url: str, kubeconfig: Path) -> None:
        click.echo(f"ready: {url}, kubeconfig {kubeconfig}")
        sys.stdout.flush()

    return machine.serve_api(options, ready)
