"""Standard output: a terminal or not, in colour or not, until its reader has enough."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable

from extproc.cli.failures import reader_has_gone


def on_terminal() -> bool:
    """True where standard output is a terminal that can move its cursor."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def in_colour() -> bool:
    """True where colours are wanted: on a terminal, without NO_COLOR (no-color.org)."""
    return on_terminal() and not os.environ.get("NO_COLOR")


def write(lines: Iterable[str]) -> None:
    """Write lines at once. What the encoding lacks becomes `?`.

    Ends the command, with 0 and in silence, where the reader has gone: `outerloop logs | head`.
    """
    text = "".join(f"{line}\n" for line in lines)
    if not text:
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        reader_has_gone()
