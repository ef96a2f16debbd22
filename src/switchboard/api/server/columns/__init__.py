"""The columns that each kind is printed with; one module for each group of kinds.

In: a kind's name.  Out: its columns.
Called by the router; custom kinds bring their own (``additionalPrinterColumns``).
Specification: pkg/printers/internalversion of Kubernetes 1.36.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from switchboard.api.crds import columns as custom
from switchboard.api.crds.custom import CustomKind
from switchboard.api.server.columns import access, core, network, workloads
from switchboard.api.server.columns.cells import AGE, NAME
from switchboard.api.server.tables import Column, Columns, age, moment_of
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object

_BY_KIND: dict[str, Columns] = {**core.COLUMNS, **network.COLUMNS, **workloads.COLUMNS, **access.COLUMNS}
PLAIN: Columns = (NAME, AGE)


def columns_of(kind: Kind) -> Columns:
    """The columns of a kind; name and age where it has none of its own."""
    if isinstance(kind, CustomKind):
        return (NAME, *(_custom(column) for column in kind.columns))
    return _BY_KIND.get(kind.kind, PLAIN)


def _custom(column: custom.Column) -> Column:
    def cell(obj: Object, now: datetime) -> Any:
        value = custom.cell(column, obj)
        # Times are shown as ages; one that is none is shown as it is.
        return age(value, now) if column.type == "date" and moment_of(value) else value

    return Column(column.name, cell, column.type, column.format, column.priority, column.description)
