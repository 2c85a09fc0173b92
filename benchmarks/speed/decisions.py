"""Decisions by themselves, in processes of their own: on a quiet machine, and beside a load.

What code costs depends on what else the cores and their caches are used for: what a decision costs
within the processor is to be compared with what it costs beside as much other work.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Final

from benchmarks.speed import cases, load
from benchmarks.speed.load import Sending
from benchmarks.speed.measuring import Bench
from benchmarks.speed.processes import PYTHON, Children, NotStarted
from benchmarks.speed.requests import KIB
from benchmarks.speed.results import Decisions
from benchmarks.speed.setups import Setup

_CONNECTIONS: Final = 16


def look(bench: Bench, agents: Sequence[int], count: int, tries: int) -> Decisions:
    """Measure `count` decisions on short texts and on those of 1 KB, and the latter under load too.

    Figures are medians of `tries` processes: they differ by a tenth. Raises `NotStarted`.
    """
    figures: dict[tuple[int, int], dict[str, float]] = {}
    for number in agents:
        for size in (len(cases.Load(distinct=True, size=0).body(number)), KIB):
            bench.progress(f"deciding: {number} agents, {size} bytes")
            figures[number, size] = _medians(number, size, count, tries)
    with _busy(bench):
        for number in agents:
            bench.progress(f"deciding: {number} agents, {KIB} bytes, beside a load")
            busy = _medians(number, KIB, count, tries)
            figures[number, KIB]["busy_cpu_us"] = busy["cpu_us"]
    return Decisions(figures)


def _medians(agents: int, size: int, count: int, tries: int) -> dict[str, float]:
    found = [_decide(agents, size, count) for _ in range(tries)]
    return {name: median(each[name] for each in found) for name in found[0]}


def _decide(agents: int, size: int, count: int) -> dict[str, float]:
    argv = (PYTHON, "-m", "benchmarks.speed.deciding", *map(str, (agents, size, count)))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotStarted(f"deciding failed:\n{done.stderr}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


@contextmanager
def _busy(bench: Bench) -> Iterator[None]:
    """Have a stack decide requests that name their agent, one after another, meanwhile."""
    folder, setup, ended = bench.place("deciding"), Setup(), threading.Event()
    body = folder / "body"
    body.write_bytes(cases.Load().body(setup.agents))
    with Children() as children:
        stack = bench.start(setup, bench.upstream, bench.place("deciding", "stack"), children)

        def send() -> None:
            while not ended.is_set():
                load.drive(stack.url, Sending(body, _CONNECTIONS), 1)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            yield
        finally:
            ended.set()
            sender.join()
