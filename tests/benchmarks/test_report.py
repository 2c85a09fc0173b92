from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.speed import report, results
from benchmarks.speed.cases import AGENTS, BODIES, CONCURRENCY, EXPLICIT, FRONT, SHORTEST, Series
from benchmarks.speed.load import Outcome
from benchmarks.speed.measuring import DECISIONS, Measured, Turn
from benchmarks.speed.requests import MIB
from benchmarks.speed.results import Decisions, Run
from benchmarks.speed.targets import Target, targets


def turn(
    cpu: float, *, rate: int = 100, more: int = 0, faults: tuple[str, ...] = (), own: float = 0.0
) -> Turn:
    return Turn(
        outcome=Outcome(1.0, rate, 1, 2.0, 3.0, {}),
        cpu={"processor": cpu, "envoy": 50.0, **({DECISIONS: own} if own else {})},
        peak={"processor": 90 * MIB + more},
        base={"processor": 90 * MIB},
        decided={"routed explicit": rate},
        faults=faults,
        troubles={"cluster.processor.health_check.failure": 1} if faults else {},
    )


def run(series: Series, **cpu: tuple[float, ...]) -> Run:
    """Return a run of a series, with the CPU of each turn by line, `_` for a blank."""
    found = [
        Measured(variant, [turn(each) for each in cpu.get(name, (100.0, 100.0))])
        for variant in series.variants
        for name in (variant.line.replace(" ", "_").replace(",", ""),)
    ]
    return Run({"Kernel": "Linux"}, "bench", [(series, found)])


def met(found: Run, what: str) -> bool:
    [target] = [each for each in targets(found) if each.what == what]
    return target.met


@pytest.mark.parametrize(("cpu", "good"), [(114.9, True), (115.1, False)])
def test_the_processor_is_compared_with_an_empty_server(cpu: float, *, good: bool) -> None:
    found = run(FRONT, explicit=(cpu, cpu), empty_server_shortest=(100.0, 100.0))
    assert met(found, f"Processor CPU, {EXPLICIT} / {SHORTEST}") is good


@pytest.mark.parametrize(("cpu", "good"), [(339.0, True), (341.0, False)])
def test_embedded_may_cost_a_fifth_more_than_its_decision(cpu: float, *, good: bool) -> None:
    found = run(AGENTS)
    [(_, measured)] = found.series
    for each in measured:
        if each.variant.setup.timed:
            each.turns[:] = [turn(cpu, own=200.0)] * 2
    what = "CPU of embedded beyond explicit / the decision's own"
    assert met(found, f"{what}, 100 agents") is good


@pytest.mark.parametrize(("p50", "good"), [(0.49, True), (0.51, False)])
def test_one_decision_of_a_hundred_agents_has_half_a_millisecond(p50: float, *, good: bool) -> None:
    found = Run({}, "bench")
    found.decisions = Decisions({(100, 1024): {"cpu_us": 100.0, "p50_ms": p50, "p99_ms": 1.0}})
    assert met(found, "Decision p50 in ms, 100 agents, a request of 1024 bytes") is good


@pytest.mark.parametrize(("more", "good"), [(79 * MIB, True), (81 * MIB, False)])
def test_the_peak_of_a_large_body_is_what_came_on_top(more: int, *, good: bool) -> None:
    [largest] = [v for v in BODIES.variants if (v.line, v.x) == (EXPLICIT, 20 * MIB)]
    # The second round has what the first one left.
    measured = Measured(largest, [turn(1.0, more=more), turn(1.0, more=more + 50 * MIB)])
    found = Run({}, "bench", [(BODIES, [measured])])
    assert met(found, "Processor memory at the peak / size, a body of 20 MiB") is good


def test_a_limit_may_be_one_that_is_to_be_reached() -> None:
    assert Target("t", 0.9, 0.9, least=True).met
    assert not Target("t", 0.89, 0.9, least=True).met


def test_a_variant_is_compared_with_the_base_at_the_same_place() -> None:
    found = run(CONCURRENCY).series[0][1]
    by_place = {(each.variant.line, each.variant.x): each for each in found}
    base = by_place["Envoy alone", 64]
    assert results.base_of(CONCURRENCY, found, by_place[EXPLICIT, 64]) is base
    assert results.base_of(CONCURRENCY, found, base) is None


def test_a_base_that_is_there_once_is_for_all() -> None:
    found = run(AGENTS).series[0][1]
    [explicit] = [each for each in found if each.variant.line == EXPLICIT]
    others = [each for each in found if each is not explicit]
    assert all(results.base_of(AGENTS, found, each) is explicit for each in others)


def test_a_report_has_tables_pictures_and_every_turn(tmp_path: Path) -> None:
    found = run(AGENTS, embedded=(200.0, 300.0), explicit=(100.0, 100.0))
    found.series[0][1][1].turns[1] = turn(1.0, faults=("7 status errors",))
    page = report.write(found, tmp_path).read_text()
    assert "| Kernel | Linux |" in page
    assert re.search(r"\| embedded \| 100 \| .*\| 250 \(200 - 300\) \|", page)
    assert re.search(r"\| embedded \| 100 \| .*\| 2.50 \(2.00 - 3.00\) \|", page)
    fault = "agents, embedded (10), round 2: 7 status errors. "
    assert f"- {fault}Envoy counted: cluster.processor.health_check.failure 1" in page
    for name in re.findall(r"\]\(([^)]+\.svg)\)", page):
        assert (tmp_path / name).read_text().startswith("<svg")
    document = json.loads((tmp_path / "results.json").read_text())
    assert len(document["series"][0]["variants"][1]["turns"]) == 2
