from __future__ import annotations

import json

import pytest

from extproc.apis.api import decode
from extproc.cli.demo import SCRIPT, Turn, _example
from extproc.config.load import load
from extproc.orchestrator.api import AgentInfo, Question
from extproc.orchestrator.embedded import Embedded


def test_the_script_visits_every_agent_of_the_example() -> None:
    config = load(_example() / "outerloop.yaml", {}).config
    visited = {agent for turn in SCRIPT for agent in turn.plan}
    assert visited == {agent.id for agent in config.agents}
    assert {len(turn.plan) for turn in SCRIPT} == {1, 2, 3}


@pytest.mark.parametrize("turn", [turn for turn in SCRIPT if turn.model == "auto"])
async def test_a_turn_is_clear_without_those_before_it(turn: Turn) -> None:
    config = load(_example() / "outerloop.yaml", {}).config
    [listener] = config.listeners
    agents = [AgentInfo(each.id, each.description, each.examples) for each in listener.agents]
    body = json.dumps({"messages": [{"role": "user", "content": turn.text}]}).encode()
    question = Question(decode("/v1/chat/completions", body, config.limits))
    plan = await Embedded(agents, max_agents=config.orchestrator.max_agents).decide(question)
    assert plan.agents == turn.plan


def test_the_agents_are_beside_the_file() -> None:
    assert (_example() / "agents.py").is_file()
