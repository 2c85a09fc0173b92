"""Adds up what decisions cost a worker, in place: nanoseconds of CPU.

Where this folder is in `PYTHONPATH`, Python imports this before anything else
(https://docs.python.org/3/library/site.html), in the worker, and the worker is otherwise the same.
It writes the sum into the file that `OUTERLOOP_BENCH_DECISIONS` names, which a benchmark reads
meanwhile (`benchmarks.speed.costs`).
"""

from __future__ import annotations

import os
import sys
from typing import Any

_FILE = os.environ.get("OUTERLOOP_BENCH_DECISIONS")


def _time(path: str) -> None:
    import mmap
    from pathlib import Path
    from struct import Struct
    from time import thread_time_ns

    from extproc.deciding import Decider

    with Path(path).open("r+b") as file:
        told = mmap.mmap(file.fileno(), 0)
    write = Struct("=Q").pack_into
    spent = 0
    decide = Decider.decide

    async def timed(self: Decider, *args: Any) -> Any:  # noqa: ANN401 - whatever `decide` takes
        nonlocal spent
        began = thread_time_ns()
        try:
            return await decide(self, *args)
        finally:
            spent += thread_time_ns() - began
            write(told, 0, spent)

    Decider.decide = timed  # type: ignore[method-assign, assignment] # this is what it is for


if _FILE is not None and "extproc.worker" in sys.orig_argv:
    _time(_FILE)
