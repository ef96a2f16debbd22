"""Manifests from the command line: read, parsed, checked; faults are told with file, line and field.

Called by ``up`` and ``demo``.  Nothing is started when there is an error.
"""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.console import Console
from rich.text import Text

from switchboard.base.errors import UsageError
from switchboard.base.findings import Finding, Severity
from switchboard.cli.ports import Machine, RefusedError, Starting
from switchboard.compile.lab import LabOptions
from switchboard.k8s.acceptance import review
from switchboard.k8s.manifests import Manifest, load

_COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "dim"}
_MOST = 50


def manifests(machine: Machine, paths: Sequence[str], recursive: bool, console: Console) -> list[Manifest]:
    """The objects of all files, as one cluster; raises UsageError when a manifest has an error."""
    loaded, findings = [], []
    for file, text in machine.read_manifests(paths, recursive):
        found, faults = load(text, file)
        loaded += found
        findings += faults
    findings += review(loaded)
    print_findings(findings, console)
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    if errors:
        raise UsageError(
            "manifests-invalid",
            f"{errors} error{'s' if errors > 1 else ''} in the manifests; nothing has been started.",
            hint="Mend them as said above; line and column count from 1.",
        )
    if not loaded and paths:
        raise UsageError("manifests-empty", "There is no object in these files.", context=", ".join(paths))
    return loaded


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """One block for each finding, errors first."""
    order = list(Severity)
    shown = sorted(findings, key=lambda f: (order.index(f.severity), str(f.place), f.field))
    for finding in shown[:_MOST]:
        place = f"{finding.place}: " if finding.place.file else ""
        what = f"{finding.object}: " if finding.object else ""
        field = f"{finding.field}: " if finding.field else ""
        severity = (f"{finding.severity.value}: ", _COLOURS[finding.severity])
        console.print(Text.assemble((place, "bold"), severity, what, field, finding.message))
        if finding.hint:
            console.print(Text(f"  {finding.hint}", "dim"))
    if len(shown) > _MOST:
        console.print(f"… and {len(shown) - _MOST} more")


OPTIONS = (
    click.option("-f", "--filename", "files", multiple=True, metavar="FILE|DIR|-", help="Manifests; repeatable."),
    click.option("-R", "--recursive", is_flag=True, help="Also the directories below."),
)


def start(
    machine: Machine, lab: LabOptions, loaded: Sequence[Manifest], console: Console, *, attached: bool
) -> Starting:
    """Starts a cluster; refused manifests are told one by one before the error goes on."""
    try:
        return machine.start(lab, loaded, attached=attached)
    except RefusedError as error:
        print_findings(error.findings, console)
        raise
