from __future__ import annotations

import json
from typing import Any

from extproc.config.model.root import Config
from extproc.runtime import build


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


def test_listeners_by_name_with_their_agents_in_order() -> None:
    runtime = build(config(), generation=7)
    assert runtime.generation == 7
    assert list(runtime.listeners) == ["first", "second"]
    first = runtime.listeners["first"]
    assert (first.agents, first.default) == (("a", "b"), "b")
    assert first.decision_timeout == 3.0


def test_the_first_agent_is_default_where_none_says_so() -> None:
    assert build(config(), generation=1).listeners["second"].default == "b"


def test_a_stream_may_live_as_long_as_upload_and_decision() -> None:
    runtime = build(config(limits={"request_timeout": "5s"}), generation=1)
    assert runtime.stream_timeout == 5.0 + 30.0


def test_the_list_of_models_is_made_at_load() -> None:
    models = build(config(), generation=1).listeners["first"].models
    assert [model["id"] for model in json.loads(models.body)["data"]] == ["a", "b"]


def test_what_is_rejected_follows_the_file() -> None:
    plain = build(config(), generation=1).listeners["first"]
    assert (plain.reject_none, plain.reject_error) == (False, False)
    strict = build(
        config(orchestrator={"on_none": "reject", "on_error": "reject"}), generation=1
    ).listeners["first"]
    assert (strict.reject_none, strict.reject_error) == (True, True)
