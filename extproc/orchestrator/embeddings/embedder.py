"""Asks one embeddings server for the vectors of texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from extproc.calls import Caller, Target
from extproc.config.model.orchestrator import EmbeddingsServer
from extproc.orchestrator.client import SUCCESS, ApiClient
from extproc.orchestrator.embedded import Vectors
from extproc.orchestrator.embeddings.answer import parse_vectors

PATH: Final = "/v1/embeddings"


class Embedder:
    """An OpenAI-compatible server. May be asked by many tasks at once.

    `identity` tells vectors of one server and model from those of others; `timeout` (seconds) is
    what a turn may take.
    """

    def __init__(
        self,
        config: EmbeddingsServer,
        target: Target,
        caller: Caller,
        *,
        max_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        self.identity = (config.name, config.url)
        self._model = config.name
        self._client = ApiClient(
            config,
            target,
            caller,
            kind="embeddings server",
            path=PATH,
            max_bytes=max_bytes,
            clock=clock,
        )
        self.timeout = self._client.timeout

    async def embed(self, texts: Sequence[str], deadline: float) -> Vectors:
        """Return one unit row for each text, of zeros where it is blank; one must not be.

        One call for all of them. `deadline` is a time of the clock. Raises `OrchestratorFailed`.
        """
        # Servers refuse blank texts, and bill each text: the same one twice too.
        wanted = {text: row for row, text in enumerate(dict.fromkeys(filter(str.strip, texts)))}
        body = json.dumps({"model": self._model, "input": list(wanted)}, ensure_ascii=False)
        with self._client.breaker.guard():
            # Lone surrogates, which JSON can carry and UTF-8 cannot, become question marks.
            response = await self._client.post(body.encode(errors="replace"), deadline)
            if response.status not in SUCCESS:
                raise self._client.failure(response.status)
        found = parse_vectors(response.body, len(wanted))
        vectors = np.zeros((len(texts), found.shape[1]), np.float32)
        for place, text in enumerate(texts):
            if text in wanted:
                vectors[place] = found[wanted[text]]
        return vectors
