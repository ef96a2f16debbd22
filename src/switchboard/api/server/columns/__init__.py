"""The columns that each kind is printed with; one module for each group of kinds.

In: a kind's name.  Out: its columns.
Called by the router; custom kinds bring their own (``additionalPrinterColumns``).
Specification: pkg/printers/internalversion of Kubernetes 1.36.
"""

from __future__ import annotations

from switchboard.api.server.columns import access, core, network, workloads
from switchboard.api.server.columns.cells import AGE, NAME
from switchboard.api.server.tables import Columns
from switchboard.k8s.kinds import Kind

_BY_KIND: dict[str, Columns] = {**core.COLUMNS, **network.COLUMNS, **workloads.COLUMNS, **access.COLUMNS}
PLAIN: Columns = (NAME, AGE)


def columns_of(kind: Kind) -> Columns:
    """The columns of a built-in kind; name and age where it has none of its own."""
    return _BY_KIND.get(kind.kind, PLAIN)
