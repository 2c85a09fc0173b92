"""Series that run: stacks side by side, variants in turns, and what each of their turns used."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.speed import load, usage
from benchmarks.speed.cases import Series, Variant
from benchmarks.speed.load import Outcome, Sending
from benchmarks.speed.processes import Children
from benchmarks.speed.setups import Setup
from benchmarks.speed.stacks import Stack, Starter, Upstreams
from benchmarks.speed.statistics import turns

DECISIONS: Final = "decisions"
_STARTED_AT_ONCE: Final = 4
_WARM: Final = 1.0
_IDLE: Final = 0.2
"""Seconds before a turn, so that what the last one left behind is not counted."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: so many rounds, in each of them a window of seconds for a variant."""

    rounds: int
    window: float
    connections: int
    quick: bool = False

    def rounds_of(self, series: Series) -> int:
        """Return how many rounds of a series are measured."""
        return self.rounds * (1 if self.quick else series.often)

    def variants(self, series: Series) -> tuple[Variant, ...]:
        """Return what of a series is measured."""
        return tuple(
            variant
            for variant in series.variants
            if (variant.quick or not self.quick) and variant.load.connections <= self.connections
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of a variant showed.

    `cpu` are microseconds for a request by role, and of the processor's those of `DECISIONS` alone
    where they are timed; `peak` the most bytes that a role's processes
    held, and `base` what they held when the series began. `faults` says what was not as it should
    be, also where requests were decided otherwise than the variant is about. `troubles` are
    counters of Envoy's that may tell why.
    """

    outcome: Outcome
    cpu: Mapping[str, float]
    peak: Mapping[str, int]
    base: Mapping[str, int]
    decided: Mapping[str, int]
    faults: tuple[str, ...]
    troubles: Mapping[str, int]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.outcome.requests / self.outcome.seconds


@dataclass(frozen=True, slots=True)
class Measured:
    """A variant and its turns, in order of the rounds."""

    variant: Variant
    turns: list[Turn] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Running:
    stack: Stack
    base: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Bench:
    """What series run with: `start` starts a setup, `progress` is told what happens."""

    plan: Plan
    upstream: Upstreams
    folder: Path
    start: Starter
    progress: Callable[[str], None]

    def place(self, *names: str) -> Path:
        """Make a folder of this run."""
        folder = self.folder.joinpath(*names)
        folder.mkdir()
        return folder


def measure(series: Series, bench: Bench) -> list[Measured]:
    """Run a series; return its variants in their order. Raises `NotStarted` and OSError."""
    plan, folder = bench.plan, bench.place(series.name)
    found = {variant: Measured(variant) for variant in plan.variants(series)}
    bodies = {variant: folder / f"body-{number}" for number, variant in enumerate(found)}
    for variant, file in bodies.items():
        file.write_bytes(variant.load.body(variant.setup.agents))
    with Children() as children:
        bench.progress(f"{series.name}: starting")
        running = _start(bodies, bench, folder, children)
        rounds = plan.rounds_of(series)
        for number, variant in turns(tuple(found), rounds):
            told = f"round {number + 1} of {rounds}, {variant.line} {variant.x or ''}"
            bench.progress(f"{series.name}: {told}")
            each = running[variant.setup]
            time.sleep(_IDLE)
            found[variant].turns.append(_turn(variant, each, bodies[variant], bench))
    return list(found.values())


def _start(
    bodies: Mapping[Variant, Path], bench: Bench, folder: Path, children: Children
) -> Mapping[Setup, _Running]:
    """Start each setup of a series once, and warm it with the first variant that it is for."""
    first: dict[Setup, Variant] = {}
    for variant in bodies:
        first.setdefault(variant.setup, variant)

    def run(numbered: tuple[int, Setup]) -> _Running:
        number, setup = numbered
        own = bench.place(folder.name, str(number))
        stack = bench.start(setup, bench.upstream, own, children)
        variant = first[setup]
        load.drive(stack.url, Sending(bodies[variant], headers=variant.load.headers), _WARM)
        stack.settle()
        base = {role: usage.resident(pids) for role, pids in stack.roles.items()}
        return _Running(stack, base)

    with ThreadPoolExecutor(_STARTED_AT_ONCE) as pool:
        return dict(zip(first, pool.map(run, enumerate(first)), strict=True))


def _turn(variant: Variant, running: _Running, body: Path, bench: Bench) -> Turn:
    stack, wanted = running.stack, variant.load
    roles = {**stack.roles, "agents": bench.upstream.processes}
    for pids in stack.roles.values():
        usage.forget_peak(pids)
    begun, decided, troubles = stack.begun(), stack.decided(), stack.troubles()
    before = _cpu_ns(stack, roles)
    seconds = bench.plan.window * wanted.windows
    sending = Sending(body, wanted.connections, wanted.pause, wanted.headers)
    outcome = load.drive(stack.url, sending, seconds)
    # What was cut at the end is worked on for a while, and has been counted as begun.
    stack.settle()
    used = {role: ns - before[role] for role, ns in _cpu_ns(stack, roles).items()}
    now = stack.begun()
    requests = outcome.requests if now is None or begun is None else now - begun
    counted = dict(stack.decided() - decided)
    return Turn(
        outcome=outcome,
        cpu={role: ns / 1000 / max(1, requests) for role, ns in used.items()},
        peak={role: usage.peak(pids) for role, pids in stack.roles.items()},
        base=running.base,
        decided=counted,
        faults=tuple(_faults(variant, outcome, counted, stack)),
        troubles=dict(stack.troubles() - troubles),
    )


def _cpu_ns(stack: Stack, roles: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    used = {role: usage.cpu_ns(pids) for role, pids in roles.items()}
    return used if stack.costs is None else {**used, DECISIONS: stack.costs.cpu_ns()}


def _faults(
    variant: Variant, outcome: Outcome, decided: Mapping[str, int], stack: Stack
) -> list[str]:
    faults = [f"{count} {kind} errors" for kind, count in outcome.errors.items()]
    if not outcome.requests:
        faults.append("no request was answered")
    if variant.source is not None:
        faults += [
            f"{count} requests: {how}"
            for how, count in decided.items()
            # `wrk` cuts the last request of each connection.
            if how != f"routed {variant.source}" and not how.startswith("cancelled")
        ]
        if variant.cached != stack.cached():
            faults.append("remembered" if not variant.cached else "not remembered")
    return faults
