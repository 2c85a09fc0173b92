from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.errors import OrchestratorFailed
from extproc.orchestrator.model.answer import parse_answer

AGENTS = ("weather_agent", "flight-agent", "HotelAgent")


def completion(content: Any, **message: Any) -> bytes:
    message = {"role": "assistant", "content": content, **message}
    return json.dumps({"choices": [{"index": 0, "message": message}]}).encode()


def parse(content: Any) -> tuple[str, ...]:
    return parse_answer(completion(content), AGENTS)


@pytest.mark.parametrize(
    "content",
    [
        '{"route": ["weather_agent", "HotelAgent"]}',
        '```json\n{"route": ["weather_agent", "HotelAgent"]}\n```',
        '```\n["weather_agent", "HotelAgent"]\n```',
        'Sure! {"route": ["weather_agent", "HotelAgent"]} covers both {tasks}.',
        'Not {"route": []} but {"route": ["weather_agent", "HotelAgent"]}',
        "{'route': ['weather_agent', 'HotelAgent']}",
        "{'route': ['weather_agent', 'HotelAgent'], 'why': \"it's both\"}",
        "{route: [weather_agent, HotelAgent]}",
        '{"route": ["weather_agent", "HotelAgent",],}',
        '["weather_agent", "HotelAgent"]',
        '{"routes": ["weather_agent", "HotelAgent"]}',
        '{"Route": ["weather_agent", "HotelAgent"]}',
        '{"route": [{"name": "weather_agent", "reason": "x"}, {"id": "HotelAgent"}]}',
        '{"route": [{"route": "weather_agent"}, {"agent": "HotelAgent"}]}',
        'So: {"route": [{"name": "weather_agent"}, {"name": "HotelAgent"}]}.',
        '{"route": ["Weather Agent", "hotel-agent"]}',
        '{"route": ["WEATHER-AGENT", " hotel_agent "]}',
        '{"route": ["`weather_agent`", "HotelAgent."]}',
        '{"route": ["weather_agent", "weather_agent", "taxi", "HotelAgent", "Weather_Agent"]}',
        '{"route": ["weather_agent", 7, null, "HotelAgent"]}',
        '<think>maybe {"route": ["flight-agent"]}</think>{"route":["weather_agent","HotelAgent"]}',
        'no opening tag</think>\n\n{"route": ["weather_agent", "HotelAgent"]}',
        '<thinking>\nhm\n</thinking>\n```json\n{"route": ["weather_agent", "HotelAgent"]}\n```',
        [{"type": "text", "text": '{"route": ["weather_agent",'}, {"text": '"HotelAgent"]}'}],
    ],
)
def test_a_plan_is_read_however_it_is_written(content: Any) -> None:
    assert parse(content) == ("weather_agent", "HotelAgent")


@pytest.mark.parametrize(
    "content",
    [
        '{"route": "flight-agent"}',
        '{"route": {"name": "flight-agent"}}',
        '{"route": "Flight agent"}',
        "flight-agent",
        '"flight-agent"',
        "`Flight Agent`.",
        "```\nflight-agent\n```",
        "<think>hm</think> flight-agent",
    ],
)
def test_one_agent_may_stand_alone(content: str) -> None:
    assert parse(content) == ("flight-agent",)


@pytest.mark.parametrize(
    "content",
    [
        '{"route": []}',
        '{"route": null}',
        '{"route": ""}',
        '{"route": "none"}',
        '{"route": ["none"]}',
        '{"route": ["other"]}',
        '{"route": "other"}',
        "{'route': None}",
        "[]",
        "null",
        "none",
        "None.",
        '"none"',
    ],
)
def test_no_agent_fits(content: str) -> None:
    assert parse(content) == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502 Bad Gateway</html>",
        b"\xff\xfe",
        b"[" * 100_000,
        b"null",
        b"[]",
        b"{}",
        b'{"choices": null}',
        b'{"choices": []}',
        b'{"choices": {}}',
        b'{"choices": [null]}',
        b'{"choices": [{"text": "weather_agent"}]}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {}}]}',
        b'{"choices": [{"message": "weather_agent"}]}',
        completion('{"route": ["weather_agent"]}')[:-9],
        completion(None),
        completion(None, reasoning_content='{"route": ["weather_agent"]}'),
        completion(None, refusal="no"),
        completion(17),
        completion([]),
        completion([{"type": "image"}, "text", {"text": 1}]),
        completion(""),
        completion(" \n"),
        completion("<think>so it is weather_agent</think>"),
        completion('<think>it could be {"route": ["weather_agent"]}, but'),
        completion("I would send this to weather_agent."),
        completion("Sorry."),
        completion("taxi_agent"),
        completion('{"route": ["weather_agent", "Hotel'),
        completion("{}"),
        completion('{"answer": ["weather_agent"]}'),
        completion('{"route": 3}'),
        completion('{"route": true}'),
        completion("17"),
        completion("{" + "[" * 2000),
        completion("{" + "[" * 900 + "}"),
        completion('{"x": "\\UFFFFFFFF"}'),
        completion("{? [a] : b}"),
        completion('{"route": ["weather_agent"]} ' + "and so on " * 2000),
    ],
)
def test_what_cannot_be_read_is_a_failure(body: bytes) -> None:
    with pytest.raises(OrchestratorFailed) as caught:
        parse_answer(body, AGENTS)
    assert "weather" not in caught.value.message


def test_reasoning_beside_the_answer_is_ignored() -> None:
    body = completion("flight-agent", reasoning_content='{"route": ["weather_agent"]}')
    assert parse_answer(body, AGENTS) == ("flight-agent",)


@pytest.mark.parametrize(
    "plan",
    [
        '{"route": ["flight-agent"]}' + " {x}" * 20,
        "{'route': ['flight-agent'], 'x': " + "[" * 80 + "]" * 80 + "}",
        "{'route': ['flight-agent'], 'x': '" + "x" * 2000 + "'}",
    ],
)
def test_only_so_much_work_is_put_into_an_odd_answer(plan: str) -> None:
    shorter = plan.replace(" {x}" * 15, "").replace("[" * 70, "").replace("]" * 70, "")
    assert parse(shorter.replace("x" * 1900, "")) == ("flight-agent",)
    with pytest.raises(OrchestratorFailed):
        parse(plan)


def test_an_exact_name_wins_over_one_like_it() -> None:
    alike = ("a-b", "a_b", "A B")
    for agent in alike:
        assert parse_answer(completion(json.dumps({"route": [agent]})), alike) == (agent,)
    assert parse_answer(completion('{"route": ["ab"]}'), alike) == ()


def test_an_agent_may_be_called_none() -> None:
    assert parse_answer(completion("none"), ("none", "a")) == ("none",)
    assert parse_answer(completion('{"route": "null"}'), ("null", "a")) == ("null",)


def test_agents_of_separators_only_are_named_exactly() -> None:
    assert parse_answer(completion('{"route": ["_", "-"]}'), ("_", "--")) == ("_",)


STYLES = [
    lambda ids: json.dumps({"route": ids}),
    lambda ids: json.dumps({"route": ids}, indent=2),
    lambda ids: json.dumps({"reason": "it's {fine}", "route": ids}),
    lambda ids: repr({"route": ids}),
    lambda ids: repr({"route": tuple(ids)}).replace("(", "[").replace(")", "]"),
    lambda ids: "{route: [" + ", ".join(ids) + "]}",
    lambda ids: json.dumps({"route": [{"name": each, "why": "x"} for each in ids]}),
    json.dumps,
]
WRAPPERS = ["{}", "```json\n{}\n```", "```\n{}```", "Here it is:\n```json\n{}\n```\nBye."]
REASONING = ["", "<think>\nI am {unsure}: []\n</think>\n", "<thinking>{'route': []}</thinking>"]
SPELLINGS = [
    str,
    str.upper,
    lambda each: each.replace("_", " "),
    lambda each: each.replace("_", "-").title(),
]


def write(style: Any, wrapper: str, reasoning: str, spelling: Any) -> Callable[[list[str]], str]:
    return lambda ids: reasoning + wrapper.replace("{}", style([spelling(each) for each in ids]))


RENDERINGS = st.builds(
    write,
    st.sampled_from(STYLES),
    st.sampled_from(WRAPPERS),
    st.sampled_from(REASONING),
    st.sampled_from(SPELLINGS),
)
IDS = st.lists(st.from_regex(r"[a-z]{1,8}_[a-z0-9]{1,8}", fullmatch=True), unique=True)


@given(IDS, RENDERINGS, st.randoms())
def test_every_rendering_of_a_plan_is_read_as_that_plan(
    agents: list[str], render: Callable[[list[str]], str], random: Random
) -> None:
    plan = random.sample(agents, random.randint(0, len(agents)))
    assert parse_answer(completion(render(plan)), agents) == tuple(plan)


def outcome(body: bytes) -> tuple[str, ...]:
    try:
        return parse_answer(body, AGENTS)
    except OrchestratorFailed:
        return ()


@given(st.binary())
def test_any_bytes_give_known_agents_or_a_failure(body: bytes) -> None:
    assert set(outcome(body)) <= set(AGENTS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(AGENTS),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "route", "name"]) | st.text(), inner
        )
    ),
)


@given(JSON)
def test_any_json_gives_known_agents_or_a_failure(value: Any) -> None:
    for body in (json.dumps(value).encode(), completion(value), completion(json.dumps(value))):
        agents = outcome(body)
        assert set(agents) <= set(AGENTS)
        assert len(set(agents)) == len(agents)


@given(st.lists(st.sampled_from([*"{}[]():,'\"&*!%@|>?-\\ \n\t", "a", "route", "\\U"])))
def test_any_punctuation_gives_known_agents_or_a_failure(parts: list[str]) -> None:
    for content in ("".join(parts), "{'route': [" + "".join(parts) + "]}"):
        assert outcome(completion(content)) == ()
