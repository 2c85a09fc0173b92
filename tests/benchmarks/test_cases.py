from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speed.cases import ALL, BODIES, FRONT, Series
from benchmarks.speed.measuring import Plan
from benchmarks.speed.setups import EMPTY, Places, configuration
from extproc.config.load import loads

EVERYTHING = Plan(rounds=1, window=1, connections=10_000)


def ids(series: Series) -> str:
    return series.name


@pytest.mark.parametrize("series", ALL, ids=ids)
def test_variants_can_be_told_apart(series: Series) -> None:
    places = [(variant.line, variant.x) for variant in series.variants]
    assert len(set(places)) == len(places)
    assert len(set(series.variants)) == len(places)


@pytest.mark.parametrize("series", ALL, ids=ids)
def test_there_is_what_variants_are_compared_with(series: Series) -> None:
    assert series.base in {variant.line for variant in series.variants}


@pytest.mark.parametrize("series", ALL, ids=ids)
def test_a_quick_run_leaves_no_series_and_no_line_out(series: Series) -> None:
    quick = Plan(rounds=1, window=1, connections=10_000, quick=True).variants(series)
    assert {each.line for each in quick} == {each.line for each in series.variants}


def test_cases_for_which_there_are_too_few_files_are_left_out() -> None:
    few = Plan(rounds=1, window=1, connections=100)
    assert max(v.load.connections for series in ALL for v in few.variants(series)) <= 100
    assert all(EVERYTHING.variants(series) == series.variants for series in ALL)


def test_every_configuration_is_one_without_warnings(tmp_path: Path) -> None:
    setups = {variant.setup for series in ALL for variant in series.variants}
    for setup in setups:
        loaded = loads(configuration(setup, Places(1, 2, 3)), "benchmark", {}, tmp_path)
        assert loaded.warnings == ()
        assert len(loaded.config.agents) == setup.agents
    assert {setup.front for setup in setups} >= EMPTY


@pytest.mark.parametrize(
    ("series", "quick", "rounds"), [(FRONT, False, 6), (BODIES, False, 2), (FRONT, True, 2)]
)
def test_where_ratios_are_near_their_limits_there_are_more_rounds(
    series: Series, rounds: int, *, quick: bool
) -> None:
    plan = Plan(rounds=2, window=1, connections=100, quick=quick)
    assert plan.rounds_of(series) == rounds
