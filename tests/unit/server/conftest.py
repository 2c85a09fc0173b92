from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from extproc.config.model.root import Limits
from extproc.deciding import Decider
from extproc.orchestrator.api import Question
from extproc.pipeline import Pipeline
from extproc.plan import FilterRecord, Plan, Source
from extproc.recording import Record
from extproc.runtime import Runtime
from extproc.server.lifecycle import Server


@pytest.fixture
def make_pipeline(
    make_runtime: Callable[..., Runtime], make_decider: Callable[..., Decider]
) -> Callable[..., Pipeline]:
    """A pipeline that always chooses one agent, after `before` was awaited."""

    def make(
        agent: str = "a",
        before: Callable[[], Awaitable[None]] | None = None,
        request_timeout: float = 30.0,
    ) -> Pipeline:
        return Pipeline(
            make_runtime(
                decider=make_decider(strategy=Chooses(agent, before)),
                decision_timeout=30.0,
                limits=Limits(
                    max_request_bytes=5_000_000, request_timeout=timedelta(seconds=request_timeout)
                ),
            )
        )

    return make


class Chooses:
    def __init__(self, agent: str, before: Callable[[], Awaitable[None]] | None) -> None:
        self.agent = agent
        self.before = before

    async def decide(self, _question: Question) -> Plan:
        if self.before is not None:
            await self.before()
        return Plan((self.agent,), Source.EMBEDDED)


class Kept:
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.begun = 0
        self.records: list[Record] = []
        self.answers: list[tuple[str, tuple[FilterRecord, ...]]] = []

    def begin(self) -> None:
        self.begun += 1

    def end(self, record: Record) -> None:
        self.records.append(record)

    def answered(self, exchange: str, filters: tuple[FilterRecord, ...]) -> None:
        self.answers.append((exchange, filters))


@pytest.fixture
def recorder() -> Kept:
    return Kept()


@pytest.fixture
async def serve(
    tmp_path: Path, recorder: Kept
) -> AsyncIterator[Callable[[Pipeline], Awaitable[tuple[Server, Any]]]]:
    """Start servers on unix sockets; returns each with a channel to it."""
    running: list[tuple[Server, Any]] = []

    async def start(pipeline: Pipeline) -> tuple[Server, Any]:
        server = Server(pipeline, recorder)
        address = f"unix:{tmp_path}/{len(running)}.sock"
        await server.start(address)
        channel = grpc.aio.insecure_channel(address)
        running.append((server, channel))
        return server, channel

    yield start
    for server, channel in running:
        await channel.close()
        await server.drain(0, 0)
