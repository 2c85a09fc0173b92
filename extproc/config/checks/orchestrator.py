"""Checks of `orchestrator`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from extproc.config.checks.finding import Finding
from extproc.config.faults import Location
from extproc.config.model.orchestrator import OrchestratorConfig
from extproc.config.model.root import Config
from extproc.config.model.types import duration_text
from extproc.config.prompt_template import read_template

_SECTION: Final = "orchestrator"
_SERVERS: Final = ("model", "embeddings")
_CHOICE: Final[tuple[Location, ...]] = tuple((_SECTION, key) for key in ("strategy", *_SERVERS))
"""What settles the strategy."""


def check_orchestrator(config: Config) -> Iterator[Finding]:
    """Check that the strategy has what it needs, and that what it is given has an effect."""
    orchestrator = config.orchestrator
    yield from _server(orchestrator)
    yield from _prompt_file(orchestrator)
    yield from _idle(orchestrator)
    yield from _timeout(config)


def _server(orchestrator: OrchestratorConfig) -> Iterator[Finding]:
    strategy, asked = orchestrator.chosen_strategy, orchestrator.asked
    if asked is not None and getattr(orchestrator, asked) is None:
        needed = "model" if strategy == "cascade" else asked
        message = f"the strategy {strategy} needs a server: set orchestrator.{needed}"
        yield Finding((_SECTION, "strategy"), message, needs=_CHOICE[1:])


def _prompt_file(orchestrator: OrchestratorConfig) -> Iterator[Finding]:
    file = orchestrator.model.prompt_file if orchestrator.model else None
    if file is not None:
        try:
            read_template(file)
        except ValueError as error:
            yield Finding((_SECTION, "model", "prompt_file"), str(error))


def _idle(orchestrator: OrchestratorConfig) -> Iterator[Finding]:
    strategy = orchestrator.chosen_strategy
    for key in _SERVERS:
        if getattr(orchestrator, key) is not None and key != orchestrator.asked:
            message = f"has no effect: the strategy is {strategy}"
            if strategy == "cascade":
                message += f", which asks orchestrator.{orchestrator.asked}"
            yield Finding((_SECTION, key), message, at_key=True, needs=_CHOICE, is_warning=True)
    if "min_confidence" in orchestrator.model_fields_set and strategy != "cascade":
        message = f"has no effect: the strategy is {strategy}, not cascade"
        at = (_SECTION, "min_confidence")
        yield Finding(at, message, at_key=True, needs=_CHOICE, is_warning=True)


def _timeout(config: Config) -> Iterator[Finding]:
    asked = config.orchestrator.asked
    server = getattr(config.orchestrator, asked) if asked else None
    for index, listener in enumerate(config.listeners):
        if server is not None and server.timeout >= listener.decision_timeout:
            at: Location = (_SECTION, str(asked), "timeout")
            message = (
                f"{duration_text(server.timeout)} is no less than the decision_timeout of listener "
                f"{listener.name}: a slow server would end in 504, not in the default agent"
            )
            needs = (at, ("listeners", index, "decision_timeout"), *_CHOICE)
            yield Finding(at, message, needs=needs, is_warning=True)
            return
