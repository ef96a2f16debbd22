"""Whether the kernel balances by IPVS: most containers and cloud kernels do not.

In goes nothing, out comes an error that says why rules of the IPVS mode cannot be applied here.
Called by ``run``; the rules themselves are made and printed on every machine.
Specification: ``/proc/net/ip_vs`` exists while the module ip_vs is loaded or built in.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from switchboard.base.errors import MachineError

_TABLE = Path("/proc/net/ip_vs")
_HINT = "Use the mode nftables; `switchboard rules --mode ipvs` prints the rules for ipset, ipvsadm and iptables."


def refuse_ipvs(table: Path = _TABLE) -> NoReturn:
    """Raises MachineError: ``no-ipvs`` on a kernel without IP_VS, ``ipvs-not-applied`` on one with it."""
    if not table.exists():
        raise MachineError("no-ipvs", "This kernel has no IP_VS, which the proxy mode ipvs needs.", hint=_HINT)
    raise MachineError("ipvs-not-applied", "Rules of the mode ipvs are printed, and not applied.", hint=_HINT)
