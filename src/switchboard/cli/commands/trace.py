"""``switchboard trace FROM TO``: the path of a request, hop by hop.

Comes in: who asks (``outside``, an address, ``pod/NAMESPACE/NAME``) and for what.  Goes out: a picture or JSON.
Exit code 0 when something answers or redirects, 1 when not, 2 for wrong usage or unreadable input.
Called by ``cli.program``; the view is that of a running cluster, or a file.
"""

from __future__ import annotations

import sys
from pathlib import Path as FilePath

import click
import msgspec

from switchboard.base.errors import UsageError
from switchboard.cli.ports import Machine
from switchboard.cli.render.figures import console_for
from switchboard.cli.render.path import PathPicture
from switchboard.trace.path import trace
from switchboard.trace.request import OutsideRequest, PodRequest, canonical_address
from switchboard.trace.result import Path, Verdict, encode
from switchboard.view.model import View

_GOOD = (Verdict.ANSWERED, Verdict.REDIRECTED)


def view_from_file(file: FilePath) -> View:
    """The view in a JSON file; raises UsageError when it cannot be read."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=View)
    except OSError as error:
        raise UsageError("unreadable-view", f"{file} cannot be read: {error.strerror}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError("unreadable-view", f"{file} holds no view: {error}.") from error


def request_of(
    source: str, target: str, headers: tuple[str, ...], cookies: tuple[str, ...], address: str
) -> OutsideRequest | PodRequest:
    """The request that the words of a command line mean; raises UsageError."""
    sent, stored = _pairs(headers, ":", "-H"), _pairs(cookies, "=", "--cookie")
    if source.startswith("pod/"):
        name = source.removeprefix("pod/")
        pod = name if "/" in name else f"default/{name}"
        return PodRequest(pod=pod, url=target, headers=sent, cookies=stored)
    client = canonical_address(source)
    if client or source == "outside":
        return OutsideRequest(url=target, headers=sent, cookies=stored, client=client, address=address)
    raise UsageError(
        "bad-source",
        f"{source!r} is nobody who could ask.",
        hint="Write outside, the address of an outside client, or pod/NAMESPACE/NAME.",
    )


def _pairs(written: tuple[str, ...], separator: str, option: str) -> dict[str, str]:
    found = {}
    for text in written:
        name, sign, value = text.partition(separator)
        if not (name.strip() and sign):
            raise UsageError("bad-pair", f"{option} {text!r} is no name{separator}value.")
        found[name.strip()] = value.strip()
    return found


@click.command("trace", short_help="Path of a request, hop by hop.")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="Header to send (repeatable).")
@click.option("--cookie", "cookies", multiple=True, metavar="NAME=VALUE", help="Cookie to send (repeatable).")
@click.option("--address", default="", help="Connect there instead of asking a name server.")
@click.option("--name", default="default", show_default=True, help="Name of the cluster.")
@click.option("--view", type=click.Path(path_type=FilePath), default=None, metavar="FILE",
              help="A view as JSON instead of a running cluster.")  # fmt: skip
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def COMMAND(  # noqa: N802 - the constant that discovery looks for
    machine: Machine,
    source: str,
    target: str,
    headers: tuple[str, ...],
    cookies: tuple[str, ...],
    address: str,
    name: str,
    view: FilePath | None,
    output: str,
) -> int:
    """Show the path of a request FROM a client TO a URL, with its rules, reasons and probabilities.

    FROM is "outside", the address of an outside client, or pod/NAMESPACE/NAME.
    TO is a URL (https://api.example.com/pay) or host:port.
    """
    request = request_of(source, target, headers, cookies, address)
    path = trace(view_from_file(view) if view else machine.view(name), request)
    show(path, output)
    return exit_code(path)


def show(path: Path, output: str) -> None:
    """Writes a path to standard output as ``text`` or ``json``."""
    if output == "json":
        click.echo(msgspec.json.format(encode(path), indent=2))
    else:
        console_for(sys.stdout).print(PathPicture(path))


def exit_code(path: Path) -> int:
    """0 when the request is answered or redirected, 2 when it made no sense, otherwise 1."""
    if path.verdict is Verdict.INVALID:
        return UsageError.exit_code
    return 0 if path.verdict in _GOOD else 1

