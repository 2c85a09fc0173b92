"""Figures that tell how good decisions are, per set of agents and over all of them.

Names in a `Figures`: `single_acc` is the share of single cases that got the right agent alone,
`single_top1` of those whose first agent is right, `followup_*` the same for follow-ups and
`switch_acc` for cases tagged `switch`. `multi_precision`, `multi_recall` and `multi_f1` count
agents over all multi cases, `multi_exact_set` and `multi_exact_order` whole plans. `none_*` treat
"no agent fits" as what is to be found; `none_auroc` is how well the score tells such cases from
the others, `false_none` the share of the others that got no agent. `exact` is the share of cases
with just the expected plan; `*_n` are numbers of cases; `lat_*_ms` are milliseconds.
"""

from __future__ import annotations

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from extproc.evaluation.cases import SWITCH, Kind
from extproc.evaluation.decide import Result

Figures = Mapping[str, float | None]
"""By name; None, or no entry, where there is nothing to measure."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Figures of each set, of all cases together (`micro`), and the mean of the sets (`macro`).

    `missing` cases have no prediction, and count as wrong.
    """

    sets: Mapping[str, Figures]
    micro: Figures
    macro: Figures
    missing: int


def measure(results: Sequence[Result]) -> Metrics:
    """Measure results: one at least."""
    names = sorted({result.case.agents_set for result in results})
    sets = {name: _figures([r for r in results if r.case.agents_set == name]) for name in names}
    micro = _figures(results)
    # Scores of different sets are on different scales.
    micro.pop("none_auroc", None)
    return Metrics(
        sets=sets,
        micro=micro,
        macro=_means(list(sets.values())),
        missing=sum(result.prediction is None for result in results),
    )


def _means(sets: Sequence[Figures]) -> dict[str, float | None]:
    means: dict[str, float | None] = {}
    for name in sorted({name for figures in sets for name in figures}):
        values = [value for figures in sets if (value := figures.get(name)) is not None]
        if values and name != "n" and not name.endswith("_n"):
            means[name] = sum(values) / len(values)
    return means


def _figures(results: Sequence[Result]) -> dict[str, float | None]:
    figures: dict[str, float | None] = {"n": len(results)}
    for kind in (Kind.SINGLE, Kind.FOLLOWUP):
        each = _of(results, kind)
        figures[f"{kind}_n"] = len(each)
        figures[f"{kind}_acc"] = _share(_same(result) for result in each)
        figures[f"{kind}_top1"] = _share(r.agents[:1] == r.case.expected for r in each)
    switches = [r for r in _of(results, Kind.SINGLE) if SWITCH in r.case.tags]
    figures["switch_acc"] = _share(_same(result) for result in switches)
    figures |= _none(results)
    figures |= _multi(_of(results, Kind.MULTI))
    figures["exact"] = _share(result.is_right for result in results)
    return figures | _latencies(results)


def _none(results: Sequence[Result]) -> dict[str, float | None]:
    nones = _of(results, Kind.NONE)
    others = [result for result in results if result.case.kind is not Kind.NONE]
    found = sum(result.is_right for result in nones)
    false = sum(not result.agents for result in others)
    figures: dict[str, float | None] = {
        "none_n": len(nones),
        "none_recall": found / len(nones) if nones else None,
        "none_precision": found / (found + false) if nones and found + false else None,
        "none_f1": 2 * found / (found + false + len(nones)) if nones else None,
        "false_none": false / len(others) if others else None,
    }
    scores = [_scores(others), _scores(nones)]
    if nones and sum(map(len, scores)) == len(results):
        figures["none_auroc"] = _auroc(*scores)
    return figures


def _multi(results: Sequence[Result]) -> dict[str, float | None]:
    if not results:
        return {"multi_n": 0}
    pairs = [(set(result.agents), set(result.case.expected)) for result in results]
    right = sum(len(chosen & expected) for chosen, expected in pairs)
    chosen_count = sum(len(chosen) for chosen, _ in pairs)
    precision = right / chosen_count if chosen_count else 0.0
    recall = right / sum(len(expected) for _, expected in pairs)
    both = precision + recall
    return {
        "multi_n": len(results),
        "multi_precision": precision,
        "multi_recall": recall,
        "multi_f1": 2 * precision * recall / both if both else 0.0,
        "multi_exact_set": _share(chosen == expected for chosen, expected in pairs),
        "multi_exact_order": _share(_same(result) for result in results),
    }


def _latencies(results: Sequence[Result]) -> dict[str, float | None]:
    each = sorted(r.prediction.latency_ms for r in results if r.prediction)
    if not each:
        return {}
    return {
        "lat_p50_ms": statistics.median(each),
        "lat_p99_ms": each[min(len(each) - 1, int(0.99 * len(each)))],
    }


def _auroc(higher: Sequence[float], lower: Sequence[float]) -> float | None:
    """Return how often one of `higher` is above one of `lower`; ties count half."""
    if not higher or not lower:
        return None
    ordered = sorted(lower)
    # Numbers below and numbers not above: their mean counts ties half.
    wins = sum(bisect_left(ordered, each) + bisect_right(ordered, each) for each in higher) / 2
    return wins / (len(higher) * len(lower))


def _of(results: Iterable[Result], kind: Kind) -> list[Result]:
    return [result for result in results if result.case.kind is kind]


def _same(result: Result) -> bool:
    return result.agents == result.case.expected


def _scores(results: Iterable[Result]) -> list[float]:
    return [result.prediction.score for result in results if result.prediction]


def _share(each: Iterable[bool]) -> float | None:
    values = list(each)
    return sum(values) / len(values) if values else None
