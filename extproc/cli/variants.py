"""`outerloop variants`: how the variants of the running stack's agents fare."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import click

from extproc.cli.asking import address_of, ask
from extproc.cli.failures import USAGE, Failure
from extproc.supervisor.variants import Comparison, Row, Verdict, compare

_COLUMNS: Final = (
    *("agent", "variant", "requests", "errors", "error rate", "95 % interval"),
    *("p50 ms", "p95 ms"),
)
_NAMES: Final = 2
"""Columns that are read from the left; the others are numbers."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was given. `everything`: agents without variants too."""

    file: Path | None
    admin: str | None
    agent: str | None
    everything: bool
    as_json: bool


def variants(options: Options) -> None:
    """Print the variants of a running stack. Raises `Failure`."""
    address = address_of(options.file, options.admin)
    rows = _pick(asyncio.run(ask(address, "/variants", _rows)), options)
    if options.as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
    elif rows:
        click.echo("\n".join(as_text(rows)))
    else:
        click.echo("no agent has variants (--all shows the agents)")


def as_text(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines for a person: a row each, and below an agent's what follows from them.

    The rows of an agent stand together.
    """
    table = [_COLUMNS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = iter([_line(cells, widths) for cells in table])
    yield next(lines)
    for _, group in groupby(rows, key=lambda row: row.agent):
        agents_rows = list(group)
        for _ in agents_rows:
            yield next(lines)
        for comparison in compare(agents_rows):
            yield f"  {_words(comparison)}"


def _rows(answer: Any) -> list[Row]:  # noqa: ANN401 - whatever JSON gives
    if not isinstance(answer, list):
        raise TypeError("not a list of variants")
    return [Row(**each) for each in answer]


def _pick(rows: Sequence[Row], options: Options) -> list[Row]:
    if options.agent is not None:
        picked = [row for row in rows if row.agent == options.agent]
        if not picked:
            agents = ", ".join(dict.fromkeys(row.agent for row in rows))
            raise Failure(f"--agent {options.agent}: there is only {agents}", USAGE)
        return picked
    return [row for row in rows if options.everything or row.variant is not None]


def _cells(row: Row) -> tuple[str, ...]:
    interval = "-"
    if row.error_rate_low is not None and row.error_rate_high is not None:
        interval = f"{100 * row.error_rate_low:.2f} - {100 * row.error_rate_high:.2f} %"
    return (
        row.agent,
        row.variant or "-",
        str(row.requests),
        str(row.errors),
        "-" if row.error_rate is None else f"{100 * row.error_rate:.2f} %",
        interval,
        *("-" if each is None else f"{each:.0f}" for each in (row.p50_ms, row.p95_ms)),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = (
        cell.ljust(width) if index < _NAMES else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(aligned)


def _words(comparison: Comparison) -> str:
    variant, baseline = comparison.variant.variant, comparison.baseline.variant
    low, high = (100 * bound for bound in comparison.difference)
    match comparison.verdict:
        case Verdict.HIGHER:
            found = f"{variant} fails more often than {baseline}, beyond chance"
        case Verdict.LOWER:
            found = f"{variant} fails less often than {baseline}, beyond chance"
        case Verdict.ALIKE:
            found = f"{variant} and {baseline} do not differ beyond chance"
        case Verdict.UNKNOWN:
            found = f"too few requests to tell whether {variant} and {baseline} differ"
    return f"{found} (difference: {low:+.2f} to {high:+.2f} percentage points)"
