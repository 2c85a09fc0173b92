"""Checks of `listeners`: addresses, references, defaults and rules."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from extproc.config.checks.finding import Finding, repeated, unknown
from extproc.config.faults import Location, path_text
from extproc.config.model.listeners import Listener, ListenerAgent, Rule
from extproc.config.model.root import Config
from extproc.config.yaml_source import Node

_MESSAGES: Final = {"input": "requests", "output": "answers"}


@dataclass(frozen=True, slots=True)
class Ids:
    """What a listener may name. `disabled` agents are agents too.

    `phases` says of some filters in which alone they work. `with_model` are agents that want a
    model of their own, `fallbacks` who takes over for whom.
    """

    agents: frozenset[str]
    disabled: frozenset[str]
    filters: frozenset[str]
    phases: Mapping[str, frozenset[str]]
    with_model: frozenset[str] = frozenset()
    fallbacks: Mapping[str, str] = field(default_factory=dict)


def check_listeners(config: Config, tree: Node, ids: Ids) -> Iterator[Finding]:
    """Check all listeners, and their addresses against each other and the admin's."""
    names = ((each.name, ("listeners", i, "name")) for i, each in enumerate(config.listeners))
    yield from repeated(names, "name")
    yield from _addresses(config)
    for index, listener in enumerate(config.listeners):
        location = ("listeners", index)
        yield from _agents(listener, location, tree, ids)
        yield from _default(listener, location, ids)
        yield from _filters(listener, location, tree, ids)
        yield from _rules(listener, location, tree, ids)
        yield from _fallbacks(listener, location, ids)
        yield from _observed(listener, location, ids)
        yield from _long_plans(listener, location, config.orchestrator.max_agents, ids)


def _addresses(config: Config) -> Iterator[Finding]:
    taken: list[tuple[str, int, Location]] = []
    admin = config.admin
    sockets: list[tuple[str, int, Location]] = [
        (admin.address, admin.port, ("admin",)),
        *((each.address, each.port, ("listeners", i)) for i, each in enumerate(config.listeners)),
    ]
    for address, port, location in sockets:
        clash = next((at for a, p, at in taken if p == port != 0 and _overlap(a, address)), None)
        if clash:
            message = f"the same address and port as {path_text(clash)}"
            needs = ((*clash, "port"), (*clash, "address"), (*location, "address"))
            yield Finding((*location, "port"), message, needs=needs)
        taken.append((address, port, location))


def _overlap(one: str, other: str) -> bool:
    first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    if first.version != second.version:
        return False
    return first == second or first.is_unspecified or second.is_unspecified


def _agents(listener: Listener, location: Location, tree: Node, ids: Ids) -> Iterator[Finding]:
    where = (*location, "agents")
    offered = [(agent.id, (*where, i, "id")) for i, agent in enumerate(listener.agents)]
    yield from repeated(offered, "agent")
    yield from (unknown(tree, at, "agents") for agent, at in offered if agent not in ids.agents)
    if listener.agents and all(agent in ids.disabled for agent, _ in offered):
        message = "all agents of this listener are disabled"
        yield Finding(where, message, at_key=True, needs=(where,))


def _default(listener: Listener, location: Location, ids: Ids) -> Iterator[Finding]:
    where = (*location, "agents")
    defaults = [i for i, agent in enumerate(listener.agents) if agent.default]
    for index in defaults[1:]:
        message = f"only one agent can be the default; {path_text((*where, defaults[0]))} is"
        yield Finding((*where, index, "default"), message)
    for index in defaults:
        if listener.agents[index].id in ids.disabled:
            yield Finding((*where, index, "default"), "the default agent is disabled")
    if listener.on_unavailable == "default_agent" and _is_filtered(listener):
        message = "default_agent would pass requests round the filters of this listener; use reject"
        yield Finding((*location, "on_unavailable"), message)
    if (
        listener.on_unavailable == "default_agent"
        and listener.agents
        and listener.default_agent in ids.with_model
    ):
        message = "the default agent's `model` can only be set by the processor; use reject"
        yield Finding((*location, "on_unavailable"), message)


def _is_filtered(listener: Listener) -> bool:
    first = listener.agents[:1]
    default = next((agent for agent in listener.agents if agent.default), *first or (None,))
    chains: tuple[Listener | ListenerAgent | None, ...] = (listener, default)
    return any(each and (each.input_filters or each.output_filters) for each in chains)


def _filters(listener: Listener, location: Location, tree: Node, ids: Ids) -> Iterator[Finding]:
    chains: list[tuple[Location, Listener | ListenerAgent]] = [(location, listener)]
    for index, agent in enumerate(listener.agents):
        chains.append(((*location, "agents", index), agent))
    for where, owner in chains:
        for key in ("input_filters", "output_filters"):
            names = [(name, (*where, key, i)) for i, name in enumerate(getattr(owner, key))]
            strange = (at for name, at in names if name not in ids.filters)
            yield from (unknown(tree, at, "filters") for at in strange)
            phase = key.partition("_")[0]
            for name, at in names:
                if phase not in ids.phases.get(name, (phase,)):
                    yield Finding(at, f"the filter {name} does not work on {_MESSAGES[phase]}")


def _fallbacks(listener: Listener, location: Location, ids: Ids) -> Iterator[Finding]:
    """What takes over for an agent has passed that one's filters, and none of its own."""
    offered = {agent.id: agent for agent in listener.agents}
    reached: dict[str, Location] = {}
    for index, agent in enumerate(listener.agents):
        reached.setdefault(agent.id, (*location, "agents", index, "id"))
    for index, rule in enumerate(listener.rules):
        for i, name in enumerate(rule.agents or ()):
            reached.setdefault(name, (*location, "rules", index, "agents", i))
    for name, where in reached.items():
        others = [offered[other] for other in _taking_over(name, ids.fallbacks) if other in offered]
        for other, key in itertools.product(others, ("input_filters", "output_filters")):
            missing = set(getattr(other, key)) - set(getattr(offered.get(name), key, ()))
            if missing:
                message = (
                    f"its fallback {other.id} would pass round {', '.join(sorted(missing))}: "
                    f"put the same {key} on {name}"
                )
                yield Finding(where, message)


def _taking_over(agent: str, fallbacks: Mapping[str, str]) -> list[str]:
    """Return who takes over for an agent, and for those in turn, each once."""
    chain = [agent]
    while (following := fallbacks.get(chain[-1])) is not None and following not in chain:
        chain.append(following)
    return chain[1:]


def _rules(listener: Listener, location: Location, tree: Node, ids: Ids) -> Iterator[Finding]:
    for index, rule in enumerate(listener.rules):
        where = (*location, "rules", index)
        if (rule.agents is None) == (rule.allow is None):
            needs = ((*where, "agents"), (*where, "allow"))
            yield Finding(where, "needs exactly one of agents, allow", needs=needs)
        for key in ("agents", "allow"):
            names = [(name, (*where, key, i)) for i, name in enumerate(getattr(rule, key) or ())]
            if key == "agents":
                yield from repeated(names, "agent")
            strange = (at for name, at in names if name not in ids.agents)
            yield from (unknown(tree, at, "agents") for at in strange)
        yield from _reach(rule, listener, where, ids)


def _reach(rule: Rule, listener: Listener, where: Location, ids: Ids) -> Iterator[Finding]:
    if rule.agents and ids.disabled.issuperset(rule.agents):
        yield Finding((*where, "agents"), "all agents of this rule are disabled", at_key=True)
    offered = {agent.id for agent in listener.agents} - ids.disabled
    if rule.allow and ids.agents.issuperset(rule.allow) and offered.isdisjoint(rule.allow):
        message = "allows no enabled agent of this listener"
        needs = ((*where, "allow"), (*where[:-2], "agents"))
        yield Finding((*where, "allow"), message, at_key=True, needs=needs)


def _long_plans(
    listener: Listener, location: Location, max_agents: int, ids: Ids
) -> Iterator[Finding]:
    for index, rule in enumerate(listener.rules):
        where = (*location, "rules", index, "agents")
        extra = [agent for agent in rule.agents or () if agent not in ids.disabled][max_agents:]
        if extra:
            message = f"never gets to {', '.join(extra)}: orchestrator.max_agents is {max_agents}"
            needs = (("orchestrator", "max_agents"), where)
            yield Finding(where, message, at_key=True, needs=needs, is_warning=True)


def _observed(listener: Listener, location: Location, ids: Ids) -> Iterator[Finding]:
    """Name what has no effect where decisions are only observed."""
    if listener.mode != "observe":
        return
    needs = ((*location, "mode"),)
    silent = "has no effect with `mode: observe`: nothing is enforced"
    for key in ("output_filters", "on_unavailable", "on_step_error", "execution"):
        if key in listener.model_fields_set:
            at = (*location, key)
            yield Finding(at, silent, at_key=True, needs=needs, is_warning=True)
    if listener.agents and listener.default_agent in ids.with_model:
        message = "the default agent gets everything here, and its `model` has no effect"
        yield Finding((*location, "mode"), message, needs=needs, is_warning=True)
