"""Decisions by themselves, in processes of their own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from statistics import median

from benchmarks.speed import cases
from benchmarks.speed.measuring import Bench
from benchmarks.speed.processes import PYTHON, NotStarted
from benchmarks.speed.requests import KIB
from benchmarks.speed.results import Decisions


def look(bench: Bench, agents: Sequence[int], count: int, tries: int) -> Decisions:
    """Measure `count` decisions on short texts and on those of 1 KB.

    Figures are medians of `tries` processes: they differ by a tenth. Raises `NotStarted`.
    """
    figures: dict[tuple[int, int], dict[str, float]] = {}
    for number in agents:
        for size in (len(cases.Load(distinct=True, size=0).body(number)), KIB):
            bench.progress(f"deciding: {number} agents, {size} bytes")
            figures[number, size] = _medians(number, size, count, tries)
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
