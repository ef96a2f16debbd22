"""Network namespaces as file descriptors: make one, enter one for a moment.

A namespace lives as long as a descriptor, a process or a socket refers to it; nothing is written below /run, so a
killed process leaves nothing behind.  Called by ``run`` (fabric, kubelet, clients); see namespaces(7), setns(2).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Moves this process (for CLONE_NEWPID: its children) into new namespaces; raises OSError."""
    _check(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int = CLONE_NEWNET) -> None:
    """Moves this thread into the namespace of a descriptor; raises OSError."""
    _check(_libc.setns(descriptor, kind), "setns")


def die_with_parent(signal_number: int) -> None:
    """Asks the kernel for a signal when the parent dies; after any change of credentials it must be asked again."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0), "prctl")


def name_process(name: str) -> None:
    """Names this thread, and so the process, in ps and /proc/PID/comm; the kernel keeps 15 characters."""
    _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def current() -> int:
    """A descriptor of this thread's network namespace; the caller closes it."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def create() -> int:
    """A descriptor of a new network namespace; this thread stays where it is."""
    before = current()
    try:
        unshare(CLONE_NEWNET)
        try:
            return current()
        finally:
            setns(before)
    finally:
        os.close(before)


@contextmanager
def entered(descriptor: int) -> Iterator[None]:
    """This thread is inside the namespace for the length of the block; sockets and children made in it stay there."""
    before = current()
    try:
        setns(descriptor)
        try:
            yield
        finally:
            setns(before)
    finally:
        os.close(before)


def sysctl(name: str, value: str) -> None:
    """Sets ``net.…`` in the namespace that this thread is in; ``name`` is written with slashes below net/."""
    Path("/proc/sys/net", name).write_text(value)


def map_root(uid: int, gid: int) -> None:
    """Makes this process root of the user namespace that it has just unshared (user_namespaces(7))."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
