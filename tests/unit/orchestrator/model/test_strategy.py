from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extproc.calls import Target
from extproc.config.model.orchestrator import ModelServer
from extproc.conversation import Api, Conversation, Message
from extproc.errors import OrchestratorFailed
from extproc.json_document import JsonObject
from extproc.orchestrator.api import AgentInfo, Orchestrator, Question
from extproc.orchestrator.model.strategy import CONFIDENCE, ModelStrategy
from extproc.plan import Plan, Source

AGENTS = tuple(AgentInfo(name, f"{name}s of any kind") for name in ("weather", "flight", "hotel"))


def question(text: str = "rain?", allowed: frozenset[str] | None = None) -> Question:
    messages = (Message("user", text),)
    return Question(Conversation(Api.CHAT, JsonObject(b"{}", {}), None, messages), allowed)


@pytest.fixture
def make(server: Any, target: Target, config: Callable[..., ModelServer]) -> Any:
    def make_strategy(**more: Any) -> Orchestrator:
        return ModelStrategy(
            AGENTS,
            config(**more),
            target,
            server,
            max_agents=2,
            max_bytes=1000,
            clock=server.clock,
        )

    return make_strategy


async def test_the_model_decides(server: Any, make: Any) -> None:
    server.answers(content='{"route": ["hotel", "weather"]}')
    plan = await make().decide(question())
    assert plan == Plan(("hotel", "weather"), Source.MODEL, CONFIDENCE)
    (body,) = server.sent()
    assert body["model"] == "router"
    assert all(agent.description in body["messages"][0]["content"] for agent in AGENTS)


async def test_no_agent_fits(server: Any, make: Any) -> None:
    server.answers(content='{"route": []}')
    assert await make().decide(question()) == Plan((), Source.MODEL, CONFIDENCE)


async def test_the_most_agents_of_a_plan_are_the_first_ones(server: Any, make: Any) -> None:
    server.answers(content='{"route": ["hotel", "hotel", "weather", "flight"]}')
    assert (await make().decide(question())).agents == ("hotel", "weather")


async def test_only_allowed_agents_are_offered_and_taken(server: Any, make: Any) -> None:
    server.answers(content='{"route": ["flight", "weather"]}')
    plan = await make().decide(question(allowed=frozenset({"weather", "hotel"})))
    assert plan.agents == ("weather",)
    (body,) = server.sent()
    assert "flight" not in str(body)


@pytest.mark.parametrize(
    ("asked", "plan"),
    [
        (question(allowed=frozenset({"hotel"})), Plan(("hotel",), Source.SINGLE)),
        (question(allowed=frozenset()), Plan((), Source.MODEL, 0.0)),
        (question(text=""), Plan((), Source.MODEL, 0.0)),
    ],
)
async def test_nothing_is_asked_where_there_is_nothing_to_decide(
    server: Any, make: Any, asked: Question, plan: Plan
) -> None:
    assert await make().decide(asked) == plan
    assert server.calls == []


@pytest.mark.parametrize("content", ["I cannot do that.", "", None])
async def test_an_answer_that_cannot_be_read_is_a_failure(
    server: Any, make: Any, content: str | None
) -> None:
    server.answers(content=content)
    with pytest.raises(OrchestratorFailed):
        await make().decide(question())


async def test_a_dead_server_is_a_failure(server: Any, make: Any) -> None:
    server.breaks(timed_out=True)
    with pytest.raises(OrchestratorFailed):
        await make().decide(question())


async def test_a_prompt_file_replaces_our_prompt(server: Any, make: Any, tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("Choose from {routes} for {conversation}!")
    server.answers()
    await make(prompt_file=str(file)).decide(question())
    text = server.sent()[0]["messages"][0]["content"]
    assert text.startswith('Choose from {"name": "weather", ')
    assert text.endswith('"content": "rain?"\n    }\n]!')


def test_a_prompt_file_without_its_placeholders_is_refused(make: Any, tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("Choose!")
    with pytest.raises(ValueError, match="placeholder"):
        make(prompt_file=str(file))
