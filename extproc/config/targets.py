"""The services that the processor itself calls, by the names of their routes."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from extproc.calls import Target
from extproc.config.model.agents import Agent, Upstream
from extproc.config.model.filters import Filter
from extproc.config.model.root import Config
from extproc.forwarding import Credentials
from extproc.origin import Origin, parse_origin

MODEL: Final = "model"
EMBEDDINGS: Final = "embeddings"

_MCP_PATH: Final = "/mcp"
_IN_A_GATEWAY: Final = Origin("http", "gateway", 80)


def agent_targets(config: Config) -> dict[str, Target]:
    """Return the agents by their id, as the processor calls them in a plan of several.

    Envoy knows all hosts of an agent. Without it, the first one of its largest variant is called.
    """
    return {agent.id: _agent_target(agent) for agent in config.agents}


def _agent_target(agent: Agent) -> Target:
    name, credentials = f"agent/{agent.id}", _credentials(agent)
    if agent.cluster is not None:
        return Target(name, _IN_A_GATEWAY, credentials, has_address=False)
    largest: Upstream = max(agent.variants or (), key=lambda each: each.weight, default=agent)
    return Target(name, parse_origin(largest.urls[0]), credentials)


def _credentials(agent: Agent) -> Credentials:
    key = agent.access_key.get_secret_value() if agent.access_key is not None else None
    return Credentials(agent.forwards_authorization, key, tuple(agent.headers.items()))


def filter_targets(config: Config) -> dict[str, Target]:
    """Return the services of filters, by the ids of the filters."""
    return {
        each.id: Target(f"filter/{each.id}", _filter_origin(each, each.url))
        for each in config.filters
        if each.url is not None
    }


def _filter_origin(config: Filter, url: str) -> Origin:
    """A filter's path is taken as it is written: it is no base of an API."""
    origin = parse_origin(url, api=False)
    if config.type == "mcp" and not origin.path_prefix:
        return replace(origin, path_prefix=_MCP_PATH)
    return origin


def targets(config: Config) -> dict[str, Target]:
    """Return the servers that decide, by the names of their routes."""
    orchestrator = config.orchestrator
    servers = {MODEL: orchestrator.model, EMBEDDINGS: orchestrator.embeddings}
    return {
        name: Target(name, parse_origin(server.url))
        for name, server in servers.items()
        if server is not None
    }
