"""The program: commands found by file name and imported when they are used, errors told to people.

``build`` is called by the composition root with what commands need of the machine.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from switchboard import __version__
from switchboard.base.discovery import load, stems
from switchboard.base.errors import SwitchboardError
from switchboard.cli.ports import Machine

_COMMANDS = "switchboard.cli.commands"
_INTERRUPTED = 130


class Commands(click.Group):
    """One command for each file of ``cli/commands``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, sorted."""
        del ctx
        return [stem.replace("_", "-") for stem in stems(_COMMANDS)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Imports one command."""
        del ctx
        stem = name.replace("-", "_")
        if stem not in stems(_COMMANDS):
            return None
        command: click.Command = load(_COMMANDS, stem, "COMMAND")
        return command


def main(machine: Machine, arguments: Sequence[str]) -> int:
    """Runs one command line and returns the exit code; prints errors in one or two sentences."""

    @click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "obj": machine})
    @click.version_option(__version__, prog_name="switchboard")
    def switchboard() -> None:
        """Publish a Kubernetes Service, and see and prove every hop from the outside user to the Pod."""

    try:
        result: Any = switchboard.main(list(arguments), prog_name="switchboard", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        return _INTERRUPTED
    except click.ClickException as error:
        error.show()
        return 2
    except SwitchboardError as error:
        tell(error)
        return error.exit_code
    return result if isinstance(result, int) else 0


def tell(error: SwitchboardError) -> None:
    """An error as people read it: what, where, what to do."""
    where = f" ({error.context})" if error.context else ""
    click.echo(f"{click.style('error:', fg='red', bold=True)} {error.message}{where}", err=True)
    if error.hint:
        click.echo(f"  {error.hint}", err=True)
    sys.stderr.flush()
