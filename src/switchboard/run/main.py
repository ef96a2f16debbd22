"""The entry point: makes the machine's side of the commands and runs the command line."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """The program ``switchboard``."""
    # As long as nothing is started an interrupt just ends the program: an exception would be lost where Python cannot
    # raise one, which happens inside imports.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Debian keeps nft and conntrack where ordinary users' PATH does not look.
    os.environ["PATH"] = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    from switchboard.cli import program
    from switchboard.run.machine import LocalMachine

    sys.exit(program.main(LocalMachine(os.environ), sys.argv[1:]))
