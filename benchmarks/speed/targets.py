"""What the figures should be: ratios within one run, each with its limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.speed.cases import ALONE, EXPLICIT, SHORTEST
from benchmarks.speed.measuring import DECISIONS
from benchmarks.speed.requests import KIB, MIB
from benchmarks.speed.results import Run, beyond, compared, cpu, of
from benchmarks.speed.statistics import growth, ratios

_SERVER: Final = 1.15
_DECISION: Final = 1.2
_DECISION_MS: Final = 0.5
_STREAMING: Final = 0.9
_WAITING: Final = 100 * KIB
_BODY: Final = 4.0
_LINEAR: Final = 1.1
"""Linear growth is 1; a little is left for what disturbs the machine."""
_CONSTANT: Final = 1.15
"""The most that a cost which must not grow may differ, for the same reason."""
_PROCESSOR: Final = cpu("processor")
_DECISIONS: Final = cpu(DECISIONS)


@dataclass(frozen=True, slots=True)
class Target:
    """One figure and what it should be at most, or at least."""

    what: str
    value: float
    limit: float
    least: bool = False

    @property
    def met(self) -> bool:
        """Whether it is as it should be."""
        return self.value >= self.limit if self.least else self.value <= self.limit


def targets(run: Run) -> list[Target]:
    """Return those that a run can tell of."""
    return [*_asking(run), *_deciding(run), *_streaming(run), *_memory(run), *_growing(run)]


def _asking(run: Run) -> Iterator[Target]:
    explicit = run.measured("front", EXPLICIT)
    for line in (SHORTEST, "empty server, generator on uvloop", "empty server, generator"):
        for base in run.measured("front", line):
            for each in explicit:
                ratio = compared(each, base, _PROCESSOR).median
                yield Target(f"Processor CPU, explicit / {line}", ratio, _SERVER)


def _deciding(run: Run) -> Iterator[Target]:
    figures = run.decisions.figures if run.decisions else {}
    for (agents, size), found in figures.items():
        if agents == 100:  # noqa: PLR2004 - the number of agents that the target names
            name = f"Decision p50 in ms, {agents} agents, a request of {size} bytes"
            yield Target(name, found["p50_ms"], _DECISION_MS)
    for each in run.measured("agents", "embedded"):
        for explicit in run.measured("agents", EXPLICIT):
            name = "CPU of embedded beyond explicit / the decision's own"
            more = [
                (_PROCESSOR(turn) - _PROCESSOR(same)) / _DECISIONS(turn)
                for turn, same in zip(each.turns, explicit.turns, strict=True)
                if _DECISIONS(turn)
            ]
            if more:
                yield Target(f"{name}, {each.variant.x} agents", median(more), _DECISION)


def _streaming(run: Run) -> Iterator[Target]:
    if run.streams is not None:
        yield Target("Messages to the processor after the first event", run.streams.after, 0)
        for line, rates in run.streams.rate.items():
            if line != ALONE:
                ratio = ratios(rates, run.streams.rate[ALONE]).median
                name = f"Bytes a second within a stream, {line} / {ALONE}"
                yield Target(name, ratio, _STREAMING, least=True)
    explicit, empty = (run.measured("streams", line) for line in (EXPLICIT, SHORTEST))
    if len(explicit) > 1 and len(empty) > 1:
        ours, control = (compared(e[-1], e[0], _PROCESSOR).median for e in (explicit, empty))
        what = f"{explicit[-1].variant.x} events / {explicit[0].variant.x}"
        yield Target(f"Processor CPU, {what}, by the empty server's", ours / control, _CONSTANT)


def _memory(run: Run) -> Iterator[Target]:
    for each in run.measured("waiting", "waiting"):
        waiting = each.variant.x
        name = f"Processor memory of a waiting request in KiB, {waiting} of them"
        yield Target(name, beyond(each, "processor") / waiting / KIB, _WAITING / KIB)
        failed = sum(sum(turn.outcome.errors.values()) for turn in each.turns)
        yield Target(f"Errors while {waiting} requests wait", failed, 0)
    for each in run.measured("bodies", EXPLICIT):
        if each.variant.x == 20 * MIB:
            name = "Processor memory at the peak / size, a body of 20 MiB"
            yield Target(name, beyond(each, "processor") / each.variant.x, _BODY)


def _growing(run: Run) -> Iterator[Target]:
    lines = (("bodies", EXPLICIT), ("bodies", "embedded"), ("messages", EXPLICIT))
    for series, line in (*lines, ("messages", "embedded"), ("agents", "embedded")):
        points = [
            (each.variant.x, of(each, _PROCESSOR).median) for each in run.measured(series, line)
        ]
        if len(points) > 1:
            name = f"Growth of processor CPU with {series}, {line} (1 is linear)"
            yield Target(name, growth(points), _LINEAR)
