"""Records what `switchboard demo` shows on a terminal of 100 columns as docs/images/demo.svg.

Run by hand when the demonstration changes: `make picture`.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 100, 50
PROGRAM = Path(sys.executable).with_name("switchboard")
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "demo.svg"
_CONTROL = re.compile(r"\x1b\[(?:\?25[lh]|\d*[AK]|2K)|\r(?!\n)")


def record() -> str:
    """Everything that the demonstration writes to its terminal."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    process = subprocess.Popen([PROGRAM, "demo"], stdin=inner, stdout=inner, stderr=inner, env=environment)
    os.close(inner)
    text = b""
    while True:
        try:
            part = os.read(outer, 65536)
        except OSError:  # the terminal closes with its last process
            break
        text += part
    process.wait()
    return text.decode()


def settled(text: str) -> str:
    """The lines as they stand in the end: what a later line of a progress display replaced is left out."""
    kept = []
    for line in text.replace("\r\n", "\n").split("\n"):
        shown = [part for part in _CONTROL.split(line) if "starting …" not in part and "━" not in part]
        if not shown or (shown != [line] and not "".join(shown).strip()):
            continue  # a display that has gone when the next line stands
        last = shown[-1] if "\r" in line or "\x1b[2K" in line else "".join(shown)
        kept.append(last)
    return "\n".join(kept)


def main() -> None:
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    lines = settled(record()).split("\n")
    console.print(Text.from_ansi("\n".join(lines)))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    svg = console.export_svg(title="switchboard demo", clear=False)
    # No font from elsewhere: a picture loads nothing from the network.
    PICTURE.write_text(re.sub(r"@font-face\s*\{[^}]*\}", "", svg))
    sys.stdout.write(console.export_text())


if __name__ == "__main__":
    main()
