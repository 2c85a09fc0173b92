from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from extproc.errors import OrchestratorFailed
from extproc.orchestrator.breaker import FAILURES
from extproc.orchestrator.embedded import TokenTable
from extproc.orchestrator.embeddings.embedder import Embedder


async def test_the_call_is_whole(server: Any, embedder: Embedder) -> None:
    await embedder.embed(["rain"], server.now + 1.5)
    (call,) = server.calls
    assert (call.target.name, call.path) == ("embeddings", "/base/v1/embeddings")
    assert (call.timeout, call.max_bytes) == (1.5, 10**6)
    assert json.loads(call.body) == {"model": "e", "input": ["rain"]}
    assert dict(call.headers)["authorization"] == "Bearer secret"


async def test_each_text_gets_its_row_though_none_is_sent_twice(
    server: Any, embedder: Embedder
) -> None:
    texts = ["rain in Oslo", "", "a hotel", "rain in Oslo", "  "]
    vectors = await embedder.embed(texts, server.now + 1)
    assert server.texts() == [["rain in Oslo", "a hotel"]]
    assert vectors == pytest.approx(TokenTable.shipped()(texts), abs=1e-6)
    assert not vectors[[1, 4]].any()


async def test_a_lone_surrogate_is_sent_as_a_question_mark(server: Any, embedder: Embedder) -> None:
    await embedder.embed(["rain \ud800"], server.now + 1)
    assert server.texts() == [["rain ?"]]


async def test_a_dead_server_is_not_asked_for_a_while(
    server: Any, embedder: Embedder, failure: Callable[..., Any]
) -> None:
    server.failing = failure(500)
    for _ in range(FAILURES + 3):
        with pytest.raises(OrchestratorFailed):
            await embedder.embed(["rain"], server.now + 1)
    assert len(server.calls) == FAILURES


async def test_what_cannot_be_read_closes_the_server_to_nobody(
    server: Any, embedder: Embedder
) -> None:
    server.change = lambda rows: [[float("nan")] for _ in rows]
    for _ in range(FAILURES + 3):
        with pytest.raises(OrchestratorFailed, match="not finite"):
            await embedder.embed(["rain"], server.now + 1)
    assert len(server.calls) == FAILURES + 3


def test_another_model_or_address_is_another_server(embedder: Embedder) -> None:
    assert embedder.identity == ("e", "http://h.test/base/v1")
    assert embedder.timeout == 2
