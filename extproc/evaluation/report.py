"""An evaluation as people and machines read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from extproc.evaluation.advice import Suggestion, advise
from extproc.evaluation.agents import AgentSets
from extproc.evaluation.confusions import Confusion, find_confusions
from extproc.evaluation.decide import Result
from extproc.evaluation.metrics import Figures, Metrics, measure
from extproc.evaluation.tally import tally

_ROWS: Final[Mapping[str, str]] = {
    "cases": "n",
    "exact": "exact",
    "single": "single_acc",
    "switch": "switch_acc",
    "followup": "followup_acc",
    "multi precision": "multi_precision",
    "multi recall": "multi_recall",
    "multi F1": "multi_f1",
    "multi exact set": "multi_exact_set",
    "multi exact order": "multi_exact_order",
    "none precision": "none_precision",
    "none recall": "none_recall",
    "none F1": "none_f1",
    "none AUROC": "none_auroc",
    "false none": "false_none",
    "p50 ms": "lat_p50_ms",
    "p99 ms": "lat_p99_ms",
}
_WORST: Final = 10
"""Confusions that a person is shown; machines get all."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an evaluation found. Confusions and suggestions begin with the weightiest."""

    metrics: Metrics
    confusions: Sequence[Confusion]
    suggestions: Sequence[Suggestion]


def make_report(agents: AgentSets, results: Sequence[Result]) -> Report:
    """Measure results (one at least) of cases about these agents."""
    suggestions = [each for name in agents for each in advise(tally(name, agents[name], results))]
    return Report(measure(results), find_confusions(results), suggestions)


def as_json(report: Report) -> dict[str, Any]:
    """Return the object of `eval --json`. `exact` is the headline: the mean over the sets."""
    metrics = report.metrics
    return {
        "n": metrics.micro["n"],
        "missing": metrics.missing,
        "exact": metrics.macro["exact"],
        "sets": metrics.sets,
        "micro": metrics.micro,
        "macro": metrics.macro,
        "confusions": [
            {
                "agents_set": each.agents_set,
                "expected": each.expected,
                "got": each.got,
                "count": each.count,
                "example": each.results[0].case.id,
            }
            for each in report.confusions
        ],
        "suggestions": [asdict(each) for each in report.suggestions],
    }


def as_predictions(results: Sequence[Result]) -> Iterator[dict[str, Any]]:
    """Yield a line's object for each case that was decided."""
    for result in results:
        if result.prediction:
            yield {
                "id": result.case.id,
                "agents": list(result.prediction.agents),
                "score": result.prediction.score,
                "latency_ms": result.prediction.latency_ms,
            }


def as_text(report: Report) -> Iterator[RenderableType]:
    """Yield what a person is shown, for a `rich` console to print."""
    metrics = report.metrics
    yield _figures(metrics)
    sets = "1 agent set" if len(metrics.sets) == 1 else f"mean of {len(metrics.sets)} agent sets"
    yield Text(f"\nexact {metrics.macro['exact']:.3f}: {metrics.micro['n']} cases, {sets}")
    if report.confusions:
        yield Text("\nWorst confusions")
        yield _confusions(report.confusions[:_WORST])
    if report.suggestions:
        yield Text("\nSuggestions")
        for each in report.suggestions:
            yield Text(f"  {each.agents_set}: {each.text}")


def _figures(metrics: Metrics) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("metric")
    for name in (*metrics.sets, "macro"):
        table.add_column(Text(name), justify="right")
    columns = [*metrics.sets.values(), metrics.macro]
    for label, name in _ROWS.items():
        if any(column.get(name) is not None for column in columns):
            table.add_row(label, *(_cell(column, name) for column in columns))
    return table


def _cell(figures: Figures, name: str) -> str:
    value = figures.get(name)
    if value is None:
        return "-"
    return f"{value}" if name == "n" else f"{value:.3f}"


def _confusions(confusions: Sequence[Confusion]) -> Table:
    table = Table("agents set", "expected", "got", "for example", box=None, pad_edge=False)
    table.add_column("cases", justify="right")
    for each in confusions:
        cells = (
            each.agents_set,
            each.expected or "(nothing)",
            each.got or "(nothing)",
            each.results[0].case.id,
            str(each.count),
        )
        table.add_row(*map(Text, cells))
    return table
