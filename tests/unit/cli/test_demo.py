from __future__ import annotations

from extproc.cli.demo import SCRIPT, _example
from extproc.config.load import load


def test_the_script_visits_every_agent_of_the_example() -> None:
    config = load(_example() / "outerloop.yaml", {}).config
    assert {turn.agent for turn in SCRIPT} == {agent.id for agent in config.agents}


def test_the_agents_are_beside_the_file() -> None:
    assert (_example() / "agents.py").is_file()
