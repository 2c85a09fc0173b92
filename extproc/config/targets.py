"""The services that the processor itself calls, by the names of their routes."""

from __future__ import annotations

from typing import Final

from extproc.calls import Target
from extproc.config.model.root import Config
from extproc.origin import parse_origin

MODEL: Final = "model"
EMBEDDINGS: Final = "embeddings"


def agent_targets(config: Config) -> dict[str, Target]:
    """Return the agents by their id, as the processor calls them in a plan of several."""
    return {
        agent.id: Target(f"agent/{agent.id}", parse_origin(agent.url))
        for agent in config.agents
        if agent.url is not None
    }


def targets(config: Config) -> dict[str, Target]:
    """Return the servers that decide, by the names of their routes."""
    orchestrator = config.orchestrator
    servers = {MODEL: orchestrator.model, EMBEDDINGS: orchestrator.embeddings}
    return {
        name: Target(name, parse_origin(server.url))
        for name, server in servers.items()
        if server is not None
    }
