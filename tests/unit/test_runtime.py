from __future__ import annotations

import json
from typing import Any

from extproc.calls import Call, CallFailed, Response
from extproc.config.model.root import Config
from extproc.deciding import Session
from extproc.plan import Plan, Source
from extproc.runtime import Runtime, build


def config(**changes: Any) -> Config:
    return Config.model_validate(
        {
            "version": "v1",
            "agents": [{"id": "a", "url": "http://a"}, {"id": "b", "url": "http://b"}],
            "listeners": [
                {
                    "type": "agent",
                    "name": "first",
                    "port": 0,
                    "decision_timeout": "3s",
                    "agents": [{"id": "a", "description": "one"}, {"id": "b", "default": True}],
                },
                {"type": "agent", "name": "second", "port": 0, "agents": [{"id": "b"}]},
            ],
        }
        | changes
    )


async def nobody(_call: Call) -> Response:
    raise CallFailed("nobody is there")


def compiled(configuration: Config, generation: int) -> Runtime:
    return build(configuration, generation=generation, caller=nobody)


def test_listeners_by_name_with_their_agents_in_order() -> None:
    runtime = compiled(config(), 7)
    assert runtime.generation == 7
    assert list(runtime.listeners) == ["first", "second"]
    first = runtime.listeners["first"]
    assert (first.decider.agents, first.decider.default) == (("a", "b"), "b")
    assert first.decision_timeout == 3.0


def test_the_first_agent_is_default_where_none_says_so() -> None:
    assert compiled(config(), 1).listeners["second"].decider.default == "b"


def test_earlier_agents_are_run_as_the_listener_says() -> None:
    document = config(limits={"max_response_bytes": 1000}).model_dump(mode="json")
    document["agents"][0]["timeout"] = "7s"
    document["listeners"][0] |= {"execution": "parallel", "on_step_error": "skip"}
    steps = compiled(Config.model_validate(document), 1).listeners["first"].steps
    assert (steps.parallel, steps.skip_failed, steps.insert) == (True, True, "assistant")
    assert steps.max_bytes == 1000
    assert {agent: each.timeout for agent, each in steps.agents.items()} == {"a": 7.0, "b": 300.0}
    assert steps.agents["a"].target.name == "agent/a"


def test_the_list_of_models_is_made_at_load() -> None:
    models = compiled(config(), 1).listeners["first"].models
    assert [model["id"] for model in json.loads(models.body)["data"]] == ["a", "b"]


def test_what_is_rejected_follows_the_file() -> None:
    plain = compiled(config(), 1).listeners["first"].decider
    assert (plain.reject_none, plain.reject_error) == (False, False)
    strict = compiled(config(orchestrator={"on_none": "reject", "on_error": "reject"}), 1)
    decider = strict.listeners["first"].decider
    assert (decider.reject_none, decider.reject_error) == (True, True)


def test_rules_and_sessions_follow_the_file() -> None:
    document = config(orchestrator={"session": {"header": "X-Chat"}}).model_dump(mode="json")
    document["listeners"][0]["rules"] = [{"when": {"method": "POST"}, "agents": ["b"]}]
    decider = compiled(Config.model_validate(document), 1).listeners["first"].decider
    assert decider.session_header == "x-chat"
    assert [rule.agents for rule in decider.rules] == [("b",)]


def test_sessions_are_remembered_without_a_cache_of_decisions() -> None:
    without_cache = config(orchestrator={"cache": {"entries": 0}})
    decider = compiled(without_cache, 1).listeners["first"].decider
    plan = Plan(("a",), Source.EMBEDDED)
    decider.decisions.put(b"key", plan)
    decider.sessions.put(b"key", Session(plan, "a"))
    assert decider.decisions.get(b"key") is None
    assert decider.sessions.get(b"key") is not None
