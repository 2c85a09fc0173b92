"""What a run found, as values that become JSON and tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from benchmarks.speed.cases import Series
from benchmarks.speed.measuring import Measured, Turn
from benchmarks.speed.processes import NotStarted
from benchmarks.speed.starting import Starts
from benchmarks.speed.statistics import Spread, ratios, spread
from benchmarks.speed.streaming import Streams

Figure = Callable[[Turn], float]


@dataclass(frozen=True, slots=True)
class Decisions:
    """What decisions cost alone: by agents and bytes of the request, as `deciding` prints them."""

    figures: Mapping[tuple[int, int], Mapping[str, float]]


@dataclass(slots=True)
class Run:
    """All that one run found. What it did not look at is empty or None."""

    machine: Mapping[str, str]
    command: str
    series: list[tuple[Series, list[Measured]]] = field(default_factory=list)
    decisions: Decisions | None = None
    streams: Streams | None = None
    starts: list[Starts] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """What could not be measured, and why."""

    @contextmanager
    def going_on(self, part: str) -> Iterator[None]:
        """Note a part that fails, rather than lose what others have found."""
        try:
            yield
        except (NotStarted, OSError) as error:
            self.failures.append(f"{part} could not be measured: {error}")

    def measured(self, series: str, line: str) -> list[Measured]:
        """Return the variants of a line, in order of x; none where they were not measured."""
        return sorted(
            (
                each
                for found, all_of_it in self.series
                if found.name == series
                for each in all_of_it
                if each.variant.line == line
            ),
            key=lambda each: each.variant.x,
        )

    def faults(self) -> Iterator[str]:
        """Yield what was not as it should be."""
        yield from self.failures
        for series, found in self.series:
            for each in found:
                at = f" ({each.variant.x})" if each.variant.x else ""
                for number, turn in enumerate(each.turns):
                    if turn.faults:
                        place = f"{series.name}, {each.variant.line}{at}, round {number + 1}"
                        why = "; ".join(f"{name} {n}" for name, n in turn.troubles.items())
                        what = ", ".join(turn.faults)
                        yield f"{place}: {what}. Envoy counted: {why or 'nothing'}"

    def as_json(self) -> str:
        """Return everything, every turn of every variant."""
        document = {
            "machine": dict(self.machine),
            "command": self.command,
            "series": [
                {
                    "name": series.name,
                    "axis": series.axis,
                    "base": series.base,
                    "variants": [asdict(each) for each in found],
                }
                for series, found in self.series
            ],
            "decisions": [
                {"agents": agents, "bytes": size, **figures}
                for (agents, size), figures in (
                    self.decisions.figures.items() if self.decisions else ()
                )
            ],
            "streams": asdict(self.streams) if self.streams else None,
            "starts": [asdict(each) for each in self.starts],
            "notes": self.notes,
            "failures": self.failures,
        }
        return json.dumps(document, indent=1, default=_plain) + "\n"


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever dataclasses hold
    return value.name if isinstance(value, Enum) else str(value)


def of(measured: Measured, figure: Figure) -> Spread:
    """Return how a figure of a variant's turns is spread."""
    return spread([figure(turn) for turn in measured.turns])


def compared(measured: Measured, base: Measured, figure: Figure) -> Spread:
    """Return how a figure compares with that of a base in the same rounds."""
    return ratios([figure(turn) for turn in measured.turns], [figure(turn) for turn in base.turns])


def base_of(series: Series, found: Sequence[Measured], measured: Measured) -> Measured | None:
    """Return what a variant is compared with: the base line at the same x, or its only variant.

    None for the base line itself and where there is neither.
    """
    line = [each for each in found if each.variant.line == series.base]
    if measured in line:
        return None
    same = [each for each in line if each.variant.x == measured.variant.x]
    if not same and len(line) == 1:
        same = line
    return same[0] if same else None


def rate(turn: Turn) -> float:
    """Requests a second."""
    return turn.rate


def p50(turn: Turn) -> float:
    """Milliseconds within which half of the answers came."""
    return turn.outcome.p50


def p99(turn: Turn) -> float:
    """Milliseconds within which nearly all answers came."""
    return turn.outcome.p99


def cpu(role: str) -> Figure:
    """Return the figure of a role's CPU: microseconds for a request, 0 where there is none."""
    return lambda turn: turn.cpu.get(role, 0.0)


def peak(measured: Measured, role: str) -> int:
    """Return the bytes that a role held at the peak; see `beyond`."""
    return min(turn.peak.get(role, 0) for turn in measured.turns)


def beyond(measured: Measured, role: str) -> int:
    """Return the bytes at the peak beyond what the role held when the series began.

    The least of all rounds: later ones may find what an earlier, larger variant has left.
    """
    return min(turn.peak.get(role, 0) - turn.base.get(role, 0) for turn in measured.turns)
