"""Agents with `enabled: false` are as if they were not in the file."""

from __future__ import annotations

from extproc.config.model.listeners import Listener, Rule
from extproc.config.model.root import Config


def without_disabled(config: Config) -> Config:
    """Leave disabled agents out, with every mention of them.

    The configuration must have passed its checks: a listener or rule keeps at least one agent.
    """
    kept = {agent.id for agent in config.agents if agent.enabled}
    if len(kept) == len(config.agents):
        return config
    agents = tuple(
        agent if agent.fallback in kept else agent.model_copy(update={"fallback": None})
        for agent in config.agents
        if agent.enabled
    )
    listeners = tuple(_listener(listener, kept) for listener in config.listeners)
    return config.model_copy(update={"agents": agents, "listeners": listeners})


def _listener(listener: Listener, kept: set[str]) -> Listener:
    agents = tuple(agent for agent in listener.agents if agent.id in kept)
    rules = tuple(_rule(rule, kept) for rule in listener.rules)
    return listener.model_copy(update={"agents": agents, "rules": rules})


def _rule(rule: Rule, kept: set[str]) -> Rule:
    lists = {"agents": rule.agents, "allow": rule.allow}
    left = {
        key: tuple(agent for agent in agents if agent in kept)
        for key, agents in lists.items()
        if agents is not None
    }
    return rule.model_copy(update=left)
