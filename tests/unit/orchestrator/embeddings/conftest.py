from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from extproc.calls import Call, CallFailed, Response, Target
from extproc.config.model.orchestrator import EmbeddingsServer
from extproc.http import Headers
from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.embedded import TokenTable
from extproc.orchestrator.embeddings import Embedder, VectorCache
from extproc.origin import parse_origin


@dataclass
class Server:
    """An embeddings server with the vectors of the shipped table, and the clock it lives by.

    `failing` is what it answers instead; `change` does something to the vectors; it waits for
    `go`; a call takes `seconds`.
    """

    failing: Response | CallFailed | None = None
    change: Callable[[list[list[float]]], list[list[float]]] = lambda rows: rows
    seconds: float = 0.0
    now: float = 1000.0
    calls: list[Call] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.go.set()

    async def __call__(self, call: Call) -> Response:
        self.calls.append(call)
        self.now += self.seconds
        await self.go.wait()
        if isinstance(self.failing, CallFailed):
            raise self.failing
        if self.failing is not None:
            return self.failing
        texts = json.loads(call.body)["input"]
        rows = self.change(TokenTable.shipped()(texts).tolist())
        data = [{"index": index, "embedding": row} for index, row in enumerate(rows)]
        return Response(200, Headers(), json.dumps({"data": data}).encode())

    def clock(self) -> float:
        return self.now

    def texts(self) -> list[list[str]]:
        """Return the texts of each call."""
        return [json.loads(call.body)["input"] for call in self.calls]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def embedder(server: Server) -> Embedder:
    config = EmbeddingsServer.model_validate(
        {"url": "http://h.test/base/v1", "name": "e", "access_key": "secret", "timeout": "2s"}
    )
    target = Target("embeddings", parse_origin("http://h.test/base/v1"))
    return Embedder(config, target, server, max_bytes=10**6, clock=server.clock)


@pytest.fixture
def agents() -> tuple[AgentInfo, ...]:
    return (
        AgentInfo("weather_agent", "Weather forecasts for any city.", ("Will it rain?",)),
        AgentInfo("hotel_agent", "Finds and books hotel rooms.", ("I need a room.",)),
    )


@pytest.fixture
def cache(tmp_path: Path, embedder: Embedder) -> VectorCache:
    return VectorCache(tmp_path / "vectors", embedder.identity)


@pytest.fixture
def failure() -> Callable[..., Any]:
    return lambda status=500: Response(status, Headers(), b"<html>")
