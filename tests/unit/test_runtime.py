from __future__ import annotations

import json
from typing import Any

from extproc.availability import Availability
from extproc.calls import Call, CallFailed, Response
from extproc.config.model.root import Config
from extproc.deciding import Session
from extproc.plan import Plan, Source
from extproc.runtime import Runtime, build, informed


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


class TestInformed:
    """A runtime that takes over from another."""

    SESSION = Session(Plan(("a",), Source.EMBEDDED), "a")

    def test_sessions_go_on_with_the_listener_of_the_same_name(self) -> None:
        before = compiled(config(), 1)
        before.listeners["first"].decider.sessions.put(b"key", self.SESSION)
        after = informed(compiled(config(), 2), before, None)
        assert after.generation == 2
        assert after.listeners["first"].decider.sessions.get(b"key") == self.SESSION
        assert after.listeners["second"].decider.sessions.get(b"key") is None

    def test_what_streams_that_still_run_remember_is_known_too(self) -> None:
        before = compiled(config(), 1)
        after = informed(compiled(config(), 2), before, None)
        before.listeners["first"].decider.sessions.put(b"key", self.SESSION)
        assert after.listeners["first"].decider.sessions.get(b"key") == self.SESSION

    def test_decisions_are_made_anew(self) -> None:
        before = compiled(config(), 1)
        before.listeners["first"].decider.decisions.put(b"key", Plan(("a",), Source.EMBEDDED))
        after = informed(compiled(config(), 2), before, None)
        assert after.listeners["first"].decider.decisions.get(b"key") is None

    def test_all_else_is_as_the_new_configuration_says(self) -> None:
        document = config().model_dump(mode="json")
        document["listeners"][0]["agents"].pop()
        document["listeners"][1]["name"] = "new"
        shorter = Config.model_validate(document)
        after = informed(compiled(shorter, 2), compiled(config(), 1), None)
        assert list(after.listeners) == ["first", "new"]
        assert after.listeners["first"].decider.agents == ("a",)

    def test_the_first_one_begins_without_sessions(self) -> None:
        first = informed(compiled(config(), 1), None, None)
        assert first.listeners["first"].decider.sessions.get(b"key") is None

    def test_all_listeners_know_what_is_down(self) -> None:
        availability = Availability()
        knowing = informed(compiled(config(), 1), None, availability)
        assert {each.decider.availability for each in knowing.listeners.values()} == {availability}
        after = informed(compiled(config(), 2), knowing, None)
        assert {each.decider.availability for each in after.listeners.values()} == {None}
