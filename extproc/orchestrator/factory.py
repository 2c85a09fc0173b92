"""The strategy that a configuration asks for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import cached_property

from extproc.calls import Caller
from extproc.config.model.orchestrator import Server
from extproc.config.model.root import Config
from extproc.config.targets import EMBEDDINGS, MODEL, targets
from extproc.orchestrator.api import AgentInfo, Orchestrator
from extproc.orchestrator.cascade import Cascade
from extproc.orchestrator.embedded import Embedded
from extproc.orchestrator.embeddings import (
    Embedder,
    EmbeddingsStrategy,
    VectorCache,
    cache_folder,
)
from extproc.orchestrator.model import ModelStrategy
