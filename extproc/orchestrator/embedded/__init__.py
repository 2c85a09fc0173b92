"""The embedded strategy: static token embeddings and a lexical scorer, numpy only.

A strategy that gets its vectors elsewhere needs `Planner`, `fitting_texts`, `read_turn` and
`TokenTable.shipped()`: the vectors of `fitting_texts(agents)` once, those of `Turn.texts` a turn.
"""

from __future__ import annotations

from extproc.orchestrator.embedded import threads  # noqa: F401 - it acts where it stands first
from extproc.orchestrator.embedded.dense import TokenTable, Vectorizer, Vectors
from extproc.orchestrator.embedded.planner import AgentMatch, Planner
from extproc.orchestrator.embedded.scorer import fitting_texts
from extproc.orchestrator.embedded.strategy import Embedded
from extproc.orchestrator.embedded.turn import Turn, read_turn

__all__ = [
    "AgentMatch",
    "Embedded",
    "Planner",
    "TokenTable",
    "Turn",
    "Vectorizer",
    "Vectors",
    "fitting_texts",
    "read_turn",
]
