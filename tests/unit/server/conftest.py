from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from extproc.config.model.root import Limits
from extproc.http import Answer
from extproc.orchestrator.api import Question
from extproc.pipeline import Pipeline
from extproc.plan import Plan, Source
from extproc.runtime import Listener, Runtime
from extproc.server.lifecycle import Server


class First:
    """A strategy that always chooses one agent, after `before` was awaited."""

    def __init__(self, agent: str, before: Callable[[], Awaitable[None]] | None = None) -> None:
        self.agent = agent
        self.before = before

    async def decide(self, _question: Question) -> Plan:
        if self.before is not None:
            await self.before()
        return Plan((self.agent,), Source.EMBEDDED)


@pytest.fixture
def make_pipeline() -> Callable[..., Pipeline]:
    def make(
        agent: str = "a",
        before: Callable[[], Awaitable[None]] | None = None,
        stream_timeout: float = 30.0,
    ) -> Pipeline:
        listener = Listener(
            name="main",
            agents=("a", "b"),
            default="a",
            strategy=First(agent, before),
            reject_none=False,
            reject_error=False,
            decision_timeout=30.0,
            models=Answer(b"{}"),
        )
        limits = Limits(max_request_bytes=5_000_000)
        return Pipeline(Runtime(1, {"main": listener}, limits, stream_timeout))

    return make


@pytest.fixture
async def serve(
    tmp_path: Path,
) -> AsyncIterator[Callable[[Pipeline], Awaitable[tuple[Server, Any]]]]:
    """Start servers on unix sockets; returns each with a channel to it."""
    running: list[tuple[Server, Any]] = []

    async def start(pipeline: Pipeline) -> tuple[Server, Any]:
        server = Server(pipeline)
        address = f"unix:{tmp_path}/{len(running)}.sock"
        await server.start(address)
        channel = grpc.aio.insecure_channel(address)
        running.append((server, channel))
        return server, channel

    yield start
    for server, channel in running:
        await channel.close()
        await server.drain(0, 0)
