"""Files and a host name that only this process and its children see.

For a child that is about to become another program: it gets mounts and a host name of its own, then its files are laid
over those of the machine, which stays as it is.  Called by ``run.machine``; see mount_namespaces(7), mount(2).
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from switchboard.apply import netns

_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source: bytes, target: bytes, flags: int) -> None:
    if _libc.mount(source, target, None, ctypes.c_ulong(flags), None):
        number = ctypes.get_errno()
        raise OSError(number, f"mount {target.decode()}: {os.strerror(number)}")


def own_files(files: Mapping[Path, Path], host_name: str = "") -> None:
    """Lays each file (key: the machine's, value: ours) over the machine's, where both are there; raises OSError."""
    netns.unshare(netns.CLONE_NEWNS | netns.CLONE_NEWUTS)
    _mount(b"none", b"/", _MS_REC | _MS_PRIVATE)
    for target, source in files.items():
        if source.is_file() and target.is_file():
            _mount(os.fsencode(source), os.fsencode(target.resolve()), _MS_BIND)
    if host_name:
        socket.sethostname(host_name)
