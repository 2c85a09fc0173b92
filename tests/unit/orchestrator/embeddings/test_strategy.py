from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from extproc.calls import CallFailed, Response
from extproc.conversation import Api, Conversation, Message
from extproc.http import Headers
from extproc.json_document import JsonObject
from extproc.orchestrator.api import AgentInfo, Question
from extproc.orchestrator.embedded import Embedded
from extproc.orchestrator.embeddings.cache import VectorCache
from extproc.orchestrator.embeddings.embedder import Embedder
from extproc.orchestrator.embeddings.strategy import EmbeddingsStrategy
from extproc.plan import Source


def question(text: str, **more: Any) -> Question:
    messages = (Message("user", "earlier words"), Message("user", text))
    return Question(Conversation(Api.CHAT, JsonObject(b"{}", {}), None, messages), **more)


@pytest.fixture
def local(agents: Sequence[AgentInfo]) -> Embedded:
    return Embedded(agents, max_agents=2)


@pytest.fixture
def strategy(
    agents: Sequence[AgentInfo],
    local: Embedded,
    server: Any,
    embedder: Embedder,
    cache: VectorCache,
) -> EmbeddingsStrategy:
    return EmbeddingsStrategy(
        agents, local, embedder, cache, max_agents=2, patience=30, clock=server.clock
    )


async def test_it_decides_as_the_embedded_one_by_the_same_vectors(
    strategy: EmbeddingsStrategy, local: Embedded
) -> None:
    for text in ("Will it rain in Oslo?", "book me a room", "thanks", "rain? Then book a hotel."):
        plan = await strategy.decide(question(text))
        same = local.plan(question(text))
        assert (plan.agents, plan.source) == (same.agents, Source.EMBEDDINGS)
        assert plan.confidence == pytest.approx(same.confidence, abs=1e-3)


async def test_the_turn_and_its_clauses_are_one_call_and_nothing_else_is_sent(
    strategy: EmbeddingsStrategy, server: Any
) -> None:
    await strategy.decide(question("rain?"))
    server.calls.clear()
    await strategy.decide(question("Will it rain in Oslo? Then book me a room."))
    (texts,) = server.texts()
    whole, *clauses = texts
    assert whole == "Will it rain in Oslo? Then book me a room."
    assert len(clauses) >= 2
    assert "earlier" not in str(texts)
    assert server.calls[0].timeout == 2


async def test_only_allowed_agents_are_chosen(strategy: EmbeddingsStrategy) -> None:
    asked = question("Will it rain in Oslo?", allowed=frozenset({"hotel_agent"}))
    assert "weather_agent" not in (await strategy.decide(asked)).agents


async def test_where_there_is_no_text_nothing_is_asked(
    strategy: EmbeddingsStrategy, server: Any
) -> None:
    assert (await strategy.decide(question("  "))).source is Source.EMBEDDED
    assert server.calls == []


@pytest.mark.parametrize("fitted", [True, False])
@pytest.mark.parametrize("kind", ["timeout", "refused", "500", "short", "wrong length", "nan"])
async def test_the_embedded_one_decides_where_the_server_does_not(
    strategy: EmbeddingsStrategy,
    local: Embedded,
    server: Any,
    kind: str,
    fitted: bool,
) -> None:
    if fitted:
        await strategy.decide(question("rain?"))
    if kind in {"timeout", "refused"}:
        server.failing = CallFailed("x", timed_out=kind == "timeout")
    elif kind == "500":
        server.failing = Response(500, Headers(), b"<html>")
    else:
        server.change = {
            "short": lambda rows: rows[1:],
            "wrong length": lambda rows: [row[: 7 + len(rows)] for row in rows],
            "nan": lambda rows: [[float("nan"), *row[1:]] for row in rows],
        }[kind]
    asked = question("Will it rain in Oslo?")
    plan = await strategy.decide(asked)
    assert plan == local.plan(asked)
    assert plan.reason.endswith(": decided by the embedded strategy")
    assert not plan.lasting


async def test_slow_fitting_leaves_the_rest_of_the_time(
    strategy: EmbeddingsStrategy, server: Any
) -> None:
    server.seconds = 0.4
    assert (await strategy.decide(question("rain?"))).source is Source.EMBEDDED
    assert (await strategy.decide(question("rain?"))).source is Source.EMBEDDINGS
