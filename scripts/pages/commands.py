"""The commands, as click knows them."""

import click
from pages._table import table

from switchboard.base.discovery import discover

_TEXT = """\
# Commands

`switchboard COMMAND --help` says the same.
Exit codes: 0 well, 1 something was found, 2 wrong usage or unreadable input, 3 the machine or the cluster refused.
"""


def page() -> str:
    """One section for each command."""
    return "\n".join([_TEXT, *(_section(command) for _, command in discover("switchboard.cli.commands", "COMMAND"))])


def _section(command: click.Command) -> str:
    context = click.Context(command, info_name=f"switchboard {command.name}")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    paragraphs = (command.help or "").split("\n\n")
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    lines = [f"## {command.name}\n", f"{text}\n", f"```\n{usage}\n```\n"]
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    if options:
        lines.append(table(("option", "means", "default"), [_option(option) for option in options]))
    return "\n".join(lines)


def _option(option: click.Option) -> list[str]:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    kind = "" if option.is_flag else _kind(option.type, option.metavar)
    plain = isinstance(option.default, str | int | float) and not isinstance(option.default, bool)
    default = f"`{option.default}`" if plain and option.default != "" else ""
    if isinstance(option.default, bool) and option.secondary_opts:
        default = f"`{(option.opts if option.default else option.secondary_opts)[0]}`"
    return [f"{names} {kind}".strip(), option.help or "", default]


def _kind(kind: click.ParamType, metavar: str | None) -> str:
    if metavar:
        return metavar
    if isinstance(kind, click.Choice):
        return ", ".join(map(str, kind.choices))
    if isinstance(kind, click.IntRange | click.FloatRange):
        return f"{kind.min} to {kind.max}" if kind.max is not None else f"from {kind.min}"
    return kind.name.upper()
