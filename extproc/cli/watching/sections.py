"""The tables of `outerloop top`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from rich.text import Text

from extproc.cli.watching.look import Agent, Decision, Filter, Listener
from extproc.cli.watching.rates import Rates
from extproc.cli.watching.table import NOTHING, Cell, Column, Row, table
from extproc.cli.watching.values import clock, figure, local

_LISTENERS: Final = (
    Column("listener"),
    Column("url", 1),
    Column("requests", 3, right=True),
    Column("req/s", 2, right=True),
)
_AGENTS: Final = (
    Column("agent"),
    Column("weight", 6, right=True),
    Column("healthy", 2, right=True),
    Column("requests", 8, right=True),
    Column("req/s", 1, right=True),
    Column("errors", 9, right=True),
    Column("errors %", 3, right=True),
    Column("errors/s", 5, right=True),
    Column("p50 ms", 7, right=True),
    Column("p95 ms", 4, right=True),
    Column("decided", 10, right=True),
    Column("hosts", 11),
)
_FILTERS: Final = (
    Column("filter"),
    Column("type", 6),
    Column("mode", 4),
    Column("on_error", 7),
    Column("calls", 3, right=True),
    Column("calls/s", 5, right=True),
    Column("mean ms", 2, right=True),
    Column("outcomes", 1),
)
_DECISIONS: Final = (
    Column("time"),
    Column("listener", 5),
    Column("plan"),
    Column("source", 1),
    Column("conf", 3, right=True),
    Column("ms", 4, right=True),
    Column("outcome", 2),
    Column("filters", 6),
    Column("request id", 7),
)


def listeners(told: Sequence[Listener], rates: Rates, width: int | None) -> list[Text]:
    """Return the titles and a line for each listener; nothing without one, as the others do."""
    return table(_LISTENERS, [_listener(each, rates) for each in told], width)


def agents(told: Sequence[Agent], rates: Rates, width: int | None) -> list[Text]:
    """Return the titles and a line for each agent, its variants below it."""
    return table(_AGENTS, [_agent(each, rates) for each in told], width)


def filters(told: Sequence[Filter], rates: Rates, width: int | None) -> list[Text]:
    """Return the titles and a line for each filter."""
    return table(_FILTERS, [_filter(each, rates) for each in told], width)


def decisions(told: Sequence[Decision], now: str, width: int | None) -> list[Text]:
    """Return the titles and a line for each decision; those of before today have their dates."""
    moment = local(now)
    today = moment.date() if moment else None
    return table(_DECISIONS, [_decision(each, today) for each in told], width)


def _listener(each: Listener, rates: Rates) -> Row:
    rate = rates.of("listener", each.name)
    return Cell(each.name), Cell(each.url), Cell(figure(each.requests)), Cell(figure(rate, 1))


def _agent(each: Agent, rates: Rates) -> Row:
    failing = rates.of("errors", each.id, each.variant)
    share = 100 * each.errors / each.requests if each.errors is not None and each.requests else None
    return (
        Cell(f"  {each.variant}") if each.variant else Cell(each.id, "cyan"),
        Cell(figure(each.weight)),
        _health(each),
        Cell(figure(each.requests)),
        Cell(figure(rates.of("agent", each.id, each.variant), 1)),
        Cell(figure(each.errors)),
        Cell(figure(share, 1), "yellow" if share else ""),
        Cell(figure(failing, 1), "red" if failing else ""),
        Cell(figure(each.p50_ms)),
        Cell(figure(each.p95_ms)),
        Cell(figure(each.decided)),
        Cell(each.hosts, "dim"),
    )


def _health(each: Agent) -> Cell:
    if each.healthy is None or each.total is None:
        return Cell(NOTHING)
    style = "green" if each.healthy == each.total else "yellow" if each.healthy else "red"
    return Cell(f"{figure(each.healthy)}/{figure(each.total)}", style)


def _filter(each: Filter, rates: Rates) -> Row:
    counted = (f"{figure(count)} {outcome}" for outcome, count in each.outcomes.items() if count)
    return (
        Cell(each.id, "cyan"),
        Cell(each.type),
        Cell(each.mode),
        Cell(each.on_error),
        Cell(figure(each.calls)),
        Cell(figure(rates.of("filter", each.id), 1)),
        Cell(figure(each.mean_ms, 1)),
        Cell(", ".join(counted)),
    )


def _decision(each: Decision, today: date | None) -> Row:
    return (
        Cell(clock(each.time, today), "dim"),
        Cell(each.listener),
        Cell(each.plan or NOTHING, "cyan"),
        Cell(each.source),
        Cell(figure(each.confidence, 2)),
        Cell(figure(each.milliseconds, 1)),
        Cell(each.outcome, "" if each.outcome == "routed" else "yellow"),
        Cell(each.filters, "yellow"),
        Cell(each.request_id, "dim"),
    )
