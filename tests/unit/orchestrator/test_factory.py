from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from extproc.calls import Call, CallFailed, Response
from extproc.config.model.root import Config
from extproc.conversation import Api, Conversation, Message
from extproc.http import Headers
from extproc.json_document import JsonObject
from extproc.orchestrator.api import AgentInfo, Orchestrator, Question
from extproc.orchestrator.cascade import Cascade
from extproc.orchestrator.embedded import Embedded, TokenTable
from extproc.orchestrator.embeddings import EmbeddingsStrategy
from extproc.orchestrator.factory import Strategies
from extproc.orchestrator.model import ModelStrategy
from extproc.plan import Plan, Source

AGENTS = (
    AgentInfo("weather_agent", "Weather forecasts for any city."),
    AgentInfo("hotel_agent", "Finds and books hotel rooms."),
)
MODEL = {"url": "http://model.test", "name": "m"}
EMBEDDINGS = {"url": "http://embeddings.test/v1", "name": "e"}
TEXT = "Will it rain in Oslo tomorrow?"


def strategies(caller: Any, **orchestrator: Any) -> Strategies:
    document = {
        "version": "v1",
        "agents": [{"id": "a", "url": "http://a"}],
        "listeners": [{"name": "l", "port": 0, "agents": [{"id": "a"}]}],
        "limits": {"max_response_bytes": "1MiB"},
        "orchestrator": orchestrator,
    }
    return Strategies(Config.model_validate(document), caller)


class Servers:
    """Both servers; `calls` are those that reached them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> Response:
        self.calls.append(call)
        body = json.loads(call.body)
        if call.path == "/v1/embeddings":
            rows = TokenTable.shipped()(body["input"]).tolist()
            answer: Any = {"data": [{"embedding": row} for row in rows]}
        else:
            route = json.dumps({"route": ["hotel_agent", "weather_agent"]})
            answer = {"choices": [{"message": {"content": route}}]}
        return Response(200, Headers(), json.dumps(answer).encode())

    @property
    def asked(self) -> set[str]:
        return {call.target.name for call in self.calls}


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def nobody(_call: Call) -> Response:
    raise CallFailed("nobody is there")


def question(text: str) -> Question:
    messages = (Message("user", text),)
    return Question(Conversation(Api.CHAT, JsonObject(b"{}", {}), None, messages))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "outerloop/embeddings"


@pytest.mark.parametrize(
    ("orchestrator", "kind", "has_local"),
    [
        ({}, Embedded, True),
        ({"strategy": "embedded", "model": MODEL}, Embedded, True),
        ({"strategy": "model", "model": MODEL}, ModelStrategy, False),
        ({"strategy": "embeddings", "embeddings": EMBEDDINGS}, EmbeddingsStrategy, True),
        ({"strategy": "cascade", "model": MODEL}, Cascade, True),
        ({"model": MODEL}, Cascade, True),
        ({"embeddings": EMBEDDINGS}, Cascade, True),
    ],
)
def test_each_strategy_and_who_decides_earlier_turns(
    orchestrator: dict[str, Any], kind: type[Orchestrator], has_local: bool
) -> None:
    strategy, local = strategies(nobody, **orchestrator).make(AGENTS)
    assert type(strategy) is kind
    assert isinstance(local, Embedded) is has_local


@pytest.mark.parametrize(
    ("keys", "asked", "source"),
    [
        ({"model": MODEL}, {"model"}, Source.MODEL),
        ({"embeddings": EMBEDDINGS}, {"embeddings"}, Source.EMBEDDINGS),
        ({"model": MODEL, "embeddings": EMBEDDINGS}, {"model"}, Source.MODEL),
    ],
)
async def test_a_cascade_asks_its_server_when_it_is_unsure(
    keys: dict[str, Any], asked: set[str], source: Source
) -> None:
    servers = Servers()
    easy, _ = strategies(servers, **keys, min_confidence=0).make(AGENTS)
    assert (await easy.decide(question(TEXT))).source is Source.EMBEDDED
    assert servers.calls == []
    strict, _ = strategies(servers, **keys, min_confidence=1).make(AGENTS)
    assert (await strict.decide(question(TEXT))).source is source
    assert servers.asked == asked


async def test_the_model_is_asked_as_the_file_says() -> None:
    servers = Servers()
    strategy, _ = strategies(servers, strategy="model", model=MODEL, max_agents=1).make(AGENTS)
    plan = await strategy.decide(question(TEXT))
    assert plan == Plan(("hotel_agent",), Source.MODEL, plan.confidence)
    (call,) = servers.calls
    assert (call.target.name, call.max_bytes) == ("model", 2**20)


async def test_vectors_of_agents_are_shared_by_listeners_and_kept(folder: Path) -> None:
    servers = Servers()
    made = strategies(servers, strategy="embeddings", embeddings=EMBEDDINGS)
    for _ in range(2):
        strategy, _ = made.make(AGENTS)
        assert (await strategy.decide(question(TEXT))).source is Source.EMBEDDINGS
    inputs = [json.loads(call.body)["input"] for call in servers.calls]
    *_, probe, turn = inputs
    assert (len(probe), turn[0]) == (1, TEXT)
    assert len(files(folder)) == 1


@pytest.mark.parametrize("key", ["model", "embeddings"])
def test_a_strategy_without_its_server_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=f"orchestrator.{key}: the strategy needs a server"):
        strategies(nobody, strategy=key).make(AGENTS)


def test_a_prompt_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    model = {**MODEL, "prompt_file": str(tmp_path / "none.txt")}
    with pytest.raises(ValueError, match="cannot read the prompt file"):
        strategies(nobody, model=model).make(AGENTS)
