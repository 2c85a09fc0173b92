"""The services that the processor itself calls, by the names of their routes."""

from __future__ import annotations

from typing import Final

from extproc.calls import Target
from extproc.config.model.root import Config
from extproc.origin import parse_origin

MODEL: Final = "model"
EMBEDDINGS: Final = "embeddings"


def targets(config: Config) -> dict[str, Target]:
    """Return every target of a configuration by its name."""
    orchestrator = config.orchestrator
    servers = {MODEL: orchestrator.model, EMBEDDINGS: orchestrator.embeddings}
    return {
        name: Target(name, parse_origin(server.url))
        for name, server in servers.items()
        if server is not None
    }
