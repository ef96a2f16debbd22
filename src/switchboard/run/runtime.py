"""Which runtime the machine allows: network namespaces as root, or inside a user namespace.

Chosen by trying in a child process, so that nothing of the attempt is left.  Each refusal becomes one sentence with
what to do (exit code 3).
"""

from __future__ import annotations

import os
import shutil
import sys
from enum import StrEnum

from switchboard.apply import netns
from switchboard.base.errors import MachineError

_SBIN = "/usr/sbin:/sbin"


class Runtime(StrEnum):
    """How the embedded cluster gets its namespaces."""

    ROOT = "netns as root"
    ROOTLESS = "netns rootless"

    @property
    def flags(self) -> int:
        """Namespaces that the supervisor unshares; its children live in them."""
        own = netns.CLONE_NEWPID
        return own | netns.CLONE_NEWUSER if self is Runtime.ROOTLESS else own


def find_program(name: str, package: str) -> str:
    """Path of a Debian program that is needed; raises MachineError naming the package."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '/usr/bin:/bin')}:{_SBIN}")
    if found is None:
        raise MachineError(
            f"no-{package}", f"The program {name} is missing.", hint=f"Install it: apt-get install {package}"
        )
    return found


def choose(uid: int, gid: int) -> Runtime:
    """The best runtime that works here; raises MachineError ``no-namespaces`` when none does."""
    if not sys.platform.startswith("linux"):
        raise MachineError("no-linux", "The embedded cluster needs Linux network namespaces.")
    if uid == 0 and _works(Runtime.ROOT, uid, gid):
        return Runtime.ROOT
    if _works(Runtime.ROOTLESS, uid, gid):
        return Runtime.ROOTLESS
    raise MachineError(
        "no-namespaces",
        "This machine lets this user make no network namespaces.",
        hint="Run as root, or allow user namespaces "
        "(sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0).",
    )


def enter(runtime: Runtime, uid: int, gid: int) -> None:
    """Moves this process into the runtime's user namespace and its future children into a pid namespace."""
    netns.unshare(runtime.flags)
    if runtime is Runtime.ROOTLESS:
        netns.map_root(uid, gid)


def _works(runtime: Runtime, uid: int, gid: int) -> bool:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            enter(runtime, uid, gid)
            netns.unshare(netns.CLONE_NEWNET | netns.CLONE_NEWNS)
            netns.sysctl("ipv4/ip_forward", "1")
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0
