"""The embedded strategy: static token embeddings and a lexical scorer, numpy only."""

from __future__ import annotations

from extproc.orchestrator.embedded.planner import AgentMatch
from extproc.orchestrator.embedded.strategy import Embedded

__all__ = ["AgentMatch", "Embedded"]
