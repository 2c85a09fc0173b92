"""From a tree to a Config, with every fault: of single values, and across the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from extproc.config.checks.agents import check_agents
from extproc.config.checks.deploy import check_deploy
from extproc.config.checks.filters import check_filters, working_phases
from extproc.config.checks.finding import Finding
from extproc.config.checks.listeners import Ids, check_listeners
from extproc.config.checks.orchestrator import check_orchestrator
from extproc.config.checks.tracing import check_tracing
from extproc.config.faults import Fault, Location, path_text
from extproc.config.messages import explain, locate
from extproc.config.model.agents import Agent
from extproc.config.model.listeners import Listener, ListenerAgent
from extproc.config.model.root import Config
from extproc.config.yaml_source import Node


@dataclass(frozen=True, slots=True)
class Validated:
    """`config` is of use only where there are no errors."""

    config: Config
    errors: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


class _DraftListener(Listener):
    name: str = ""
    port: int = 0
    agents: tuple[ListenerAgent, ...] = ()


class _Draft(Config):
    """What is left of a faulty file, so that the checks across it can be made all the same."""

    agents: tuple[Agent, ...] = ()
    listeners: tuple[_DraftListener, ...] = ()


def validate(tree: Node, blank: frozenset[Location], file: str, base_dir: Path) -> Validated:
    """Validate a tree whose `version` is settled.

    `blank` are locations whose value is not known: they count as if they were not in the file,
    and nothing is said about what lacks there. Relative paths start at `base_dir`.
    """
    context = {"base_dir": base_dir}
    known = _without(tree, blank)
    faulty = {_written(tree, location) for location in blank}
    errors: list[Fault] = []
    config: Config
    try:
        config = Config.model_validate(known.data(), context=context)
    except ValidationError as error:
        for detail in _details(error, known):
            if not any(_stands_in(location, detail["loc"]) for location in blank):
                errors.append(explain(known, detail, file))
            if detail["type"] != "extra_forbidden":
                faulty.add(_written(known, detail["loc"]))
        config, known = _draft(known, context)
    findings = _findings(config, known, _ids(tree, "agents"), _ids(tree, "filters"))
    warnings: list[Fault] = []
    for each in findings:
        if not _is_void(each, known, faulty):
            (warnings if each.is_warning else errors).append(_fault(each, known, file))
    return Validated(config, tuple(errors), tuple(warnings))


def _draft(tree: Node, context: dict[str, Any]) -> tuple[Config, Node]:
    """Leave out what is faulty, and what lacks something as a whole, until the rest is valid."""
    while True:
        try:
            return _Draft.model_validate(tree.data(), context=context), tree
        except ValidationError as error:
            tree = _without(tree, (locate(tree, each["loc"])[0] for each in _details(error, tree)))


def _details(error: ValidationError, tree: Node) -> list[ErrorDetails]:
    """Return what pydantic found, but not that a list is short whose entries are all faulty."""
    details = error.errors(include_url=False, include_input=False)
    return [each for each in details if each["type"] != "too_short" or not _entries(tree, each)]


def _entries(tree: Node, error: ErrorDetails) -> bool:
    node = tree.at(error["loc"])
    return node is not None and bool(node.value)


def _without(tree: Node, locations: Iterable[Location]) -> Node:
    """Leave out values, the last one first, so that indexes stay right on the way."""
    in_file = sorted(set(locations), key=lambda at: [(isinstance(p, str), p) for p in at])
    for location in reversed(in_file):
        if tree.at(location):
            tree = tree.put(location, None)
    return tree


def _findings(
    config: Config, tree: Node, agents: frozenset[str], filters: frozenset[str]
) -> Iterator[Finding]:
    enabled = {agent.id for agent in config.agents if agent.enabled}
    disabled = frozenset(agent.id for agent in config.agents) - enabled
    yield from check_agents(config, tree, agents)
    yield from check_filters(config)
    yield from check_orchestrator(config)
    with_model = frozenset(agent.id for agent in config.agents if agent.model is not None)
    fallbacks = {each.id: each.fallback for each in config.agents if each.fallback is not None}
    ids = Ids(agents, disabled, filters, working_phases(config), with_model, fallbacks)
    yield from check_listeners(config, tree, ids)
    yield from check_tracing(config)
    yield from check_deploy(config)


def _ids(tree: Node, section: str) -> frozenset[str]:
    """Return the ids of a section, also those of entries that are faulty."""
    entries = tree.child(section)
    ids = (entry.child("id") for _, entry in entries.children()) if entries else ()
    return frozenset(str(each.value) for each in ids if each)


def _is_void(finding: Finding, tree: Node, faulty: set[Location]) -> bool:
    """Tell whether the finding follows from a value that was left out as faulty."""
    concerned = [_written(tree, location) for location in finding.needs]
    return any(_stands_in(path, each) for each in concerned for path in faulty)


def _stands_in(location: Location, outer: Location) -> bool:
    return location[: len(outer)] == outer


def _written(tree: Node, location: Location) -> Location:
    """Return where the file has, or would have, the value at a location of the tree."""
    reached, node = locate(tree, location)
    return node.path + location[len(reached) :]


def _fault(finding: Finding, tree: Node, file: str) -> Fault:
    _, node = locate(tree, finding.location)
    return node.fault(file, f"{path_text(node.path)}: {finding.message}", at_key=finding.at_key)
