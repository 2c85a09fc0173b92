from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from extproc.errors import OrchestratorFailed
from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.embedded import fitting_texts
from extproc.orchestrator.embeddings.cache import VectorCache
from extproc.orchestrator.embeddings.embedder import Embedder
from extproc.orchestrator.embeddings.fitting import BATCH, CALL_TIMEOUT, PAUSE, Fitting


@pytest.fixture
def make(
    server: Any, embedder: Embedder, cache: VectorCache, agents: Sequence[AgentInfo]
) -> Callable[..., Fitting]:
    def fitting(agents: Sequence[AgentInfo] = agents, patience: float = 30.0) -> Fitting:
        return Fitting(agents, embedder, cache, max_agents=2, patience=patience, clock=server.clock)

    return fitting


Make = Callable[..., Fitting]


async def test_all_texts_are_asked_for_once_in_small_calls(
    server: Any, make: Make, agents: Sequence[AgentInfo]
) -> None:
    fitting = make()
    assert server.calls == []
    first, second = await asyncio.gather(fitting.get(), fitting.get())
    assert first is second
    assert first.dimensions == 128
    assert [text for call in server.texts() for text in call] == fitting_texts(agents)
    assert max(map(len, server.texts())) <= BATCH
    assert {call.timeout for call in server.calls} == {CALL_TIMEOUT}


async def test_what_is_known_is_not_asked_for_again(server: Any, make: Make) -> None:
    await make().get()
    server.calls.clear()
    await make().get()
    assert [len(call) for call in server.texts()] == [1]


async def test_only_what_changed_is_asked_for(
    server: Any, make: Make, agents: Sequence[AgentInfo]
) -> None:
    await make().get()
    server.calls.clear()
    await make((*agents, AgentInfo("boats", "Rents boats."))).get()
    probe, new = server.texts()
    assert probe == fitting_texts(agents)[:1]
    assert new == ["boats: Rents boats."]


async def test_another_model_behind_the_same_name_is_noticed(
    server: Any, make: Make, agents: Sequence[AgentInfo]
) -> None:
    await make().get()
    server.calls.clear()
    server.change = lambda rows: [row[::-1] for row in rows]
    await make().get()
    assert sum(map(len, server.texts())) == len(fitting_texts(agents))
    server.change = lambda rows: [row[:7] for row in rows]
    assert (await make().get()).dimensions == 7


async def test_vectors_of_two_lengths_are_no_fit(server: Any, make: Make) -> None:
    server.change = lambda rows: [row[: len(rows)] for row in rows]
    with pytest.raises(OrchestratorFailed, match="not embedded yet"):
        await make().get()


async def test_who_asks_waits_no_longer_than_the_patience(server: Any, make: Make) -> None:
    server.go.clear()
    fitting = make(patience=0.001)
    with pytest.raises(OrchestratorFailed, match="not embedded yet"):
        await fitting.get()
    server.now += 1
    with pytest.raises(OrchestratorFailed, match="not embedded yet"):
        await fitting.get()
    while not server.calls:
        await asyncio.sleep(0)
    server.go.set()
    while asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.sleep(0)
    assert (await fitting.get()).dimensions == 128


async def test_a_server_that_fails_is_tried_again_after_a_pause(
    server: Any, make: Make, failure: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    server.failing = failure(500)
    fitting = make()
    for _ in range(3):
        with pytest.raises(OrchestratorFailed):
            await fitting.get()
    assert len(server.calls) == 1
    (message,) = caplog.messages
    assert message == (
        "the agents cannot be embedded: the embeddings server answered 500; next try in 10 s"
    )
    server.failing = None
    server.now += PAUSE
    assert (await fitting.get()).dimensions == 128


async def test_what_was_learned_before_a_failure_is_kept(server: Any, make: Make) -> None:
    def fail_at_the_third(rows: list[list[float]]) -> list[list[float]]:
        return rows if len(server.calls) < 3 else []

    server.change = fail_at_the_third
    with pytest.raises(OrchestratorFailed):
        await make().get()
    asked = server.texts()[:2]
    server.change = lambda rows: rows
    server.calls.clear()
    await make().get()
    again = [text for call in server.texts()[1:] for text in call]
    assert not set(asked[1]) & set(again)


async def test_a_bug_is_logged_and_not_hidden(
    server: Any, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_rows: object) -> list[list[float]]:
        raise ZeroDivisionError

    server.change = broken
    with pytest.raises(OrchestratorFailed):
        await make().get()
    assert "ZeroDivisionError" in caplog.text
