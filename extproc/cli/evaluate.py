"""`outerloop eval`: labelled cases decided, measured, and what follows from it."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import click
from rich.console import Console
from rich.progress import Progress

from extproc.calls import Caller
from extproc.cli.failures import FAULTS, USAGE, Failure
from extproc.cli.files import pick_listener, read
from extproc.config.model.orchestrator import OrchestratorConfig
from extproc.config.model.root import Config, Limits
from extproc.egress import Egress, gateway_of
from extproc.evaluation import report
from extproc.evaluation.agents import AgentSets, read_agents
from extproc.evaluation.cases import AgentsOf, Case, read_cases
from extproc.evaluation.decide import Fitted, Result, decide_all
from extproc.evaluation.inputs import BadInput
from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.embedded import Embedded
from extproc.orchestrator.factory import Strategies

_AT_ONCE: Final = 8
"""Decisions under way together, where a strategy waits for a server."""

_PATIENCE: Final = 600.0
"""Seconds for an embeddings server to read the agents: what is measured must be its vectors."""

_PIPE_WIDTH: Final = 1000
"""Columns where no terminal gives a width: nothing is cut."""

_MOST_FAULTS: Final = 20
_REDRAWN: Final = 100
"""How often, about, a progress bar is drawn."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was given."""

    cases: Path
    config: Path | None
    listener: str | None
    agents: Path | None
    predictions: Path | None
    as_json: bool


def evaluate(options: Options) -> None:
    """Decide the cases and report. Raises `Failure`."""
    config = read(options.config).config if options.config else None
    try:
        agents_of = _agents_of(options, config)
        cases = read_cases(options.cases, agents_of, config.limits if config else Limits())
    except BadInput as error:
        raise _failure(error) from error
    agents: AgentSets = {
        name: tuple(agents_of(name) or ()) for name in sorted({c.agents_set for c in cases})
    }
    with ExitStack() as stack:
        # Opened first: not to find out after a long run that it cannot be written.
        file = stack.enter_context(_open(options.predictions)) if options.predictions else None
        results = _decide(cases, agents, config)
        if file:
            file.writelines(f"{json.dumps(each)}\n" for each in report.as_predictions(results))
    _print(report.make_report(agents, results), as_json=options.as_json)


def _agents_of(options: Options, config: Config | None) -> AgentsOf:
    if options.agents is not None:
        if options.listener is not None:
            raise Failure("give either --listener NAME or --agents FILE", USAGE)
        return read_agents(options.agents).get
    if config is None:
        raise Failure("give -c FILE, or --agents FILE, or both", USAGE)
    listeners = {listener.name: listener for listener in config.listeners}
    listener = listeners[pick_listener(tuple(listeners), options.listener)]
    infos = tuple(AgentInfo(each.id, each.description, each.examples) for each in listener.agents)
    return lambda _: infos


def _decide(cases: Sequence[Case], agents: AgentSets, config: Config | None) -> list[Result]:
    with _progress(len(cases)) as done:
        results = asyncio.run(_decide_all(cases, agents, config, done))
    failures = [result.failure for result in results if result.prediction is None]
    if len(failures) == len(results):
        raise Failure(f"no case could be decided: {failures[0]}", FAULTS)
    if failures:
        click.echo(
            f"{len(failures)} of {len(results)} cases could not be decided and count as wrong "
            f"(the first: {failures[0]})",
            err=True,
        )
    return results


async def _decide_all(
    cases: Sequence[Case], agents: AgentSets, config: Config | None, done: Callable[[], None]
) -> list[Result]:
    egress = Egress()
    try:
        caller = egress.through(gateway_of(config)) if config is not None else egress
        fitted = {name: _fit(each, config, caller) for name, each in agents.items()}
        return await decide_all(cases, fitted, at_once=_AT_ONCE, done=done)
    finally:
        await egress.close()


def _fit(agents: Sequence[AgentInfo], config: Config | None, caller: Caller) -> Fitted:
    ids = tuple(agent.id for agent in agents)
    if config is None:
        # What a file that says nothing of the orchestrator gives.
        embedded = Embedded(agents, max_agents=OrchestratorConfig().max_agents)
        return Fitted(ids, embedded, embedded)
    try:
        return Fitted(ids, *Strategies(config, caller, patience=_PATIENCE).make(agents))
    except ValueError as error:
        raise Failure(str(error), FAULTS) from error


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on a terminal; what is given counts one case as done."""
    # Drawn between decisions: a thread of its own would be measured with them.
    console = Console(stderr=True)
    disabled = not sys.stderr.isatty()
    with Progress(
        console=console, auto_refresh=False, transient=True, disable=disabled
    ) as progress:
        task = progress.add_task("deciding", total=total)
        count = itertools.count(1)
        yield lambda: progress.update(
            task, advance=1, refresh=next(count) % math.ceil(total / _REDRAWN) == 0
        )


def _print(found: report.Report, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report.as_json(found)))
        return
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = Console(width=width, highlight=False, soft_wrap=True)
    for each in report.as_text(found):
        console.print(each)


def _open(file: Path) -> TextIO:
    try:
        return file.open("w", encoding="utf-8")
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", FAULTS) from error


def _failure(error: BadInput) -> Failure:
    click.echo("\n".join(error.faults[:_MOST_FAULTS]), err=True)
    count = len(error.faults)
    more = f"; the first {_MOST_FAULTS} are shown" if count > _MOST_FAULTS else ""
    return Failure(f"{count} fault{'s' if count > 1 else ''} in the input{more}", FAULTS)
