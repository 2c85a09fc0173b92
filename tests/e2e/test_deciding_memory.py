"""What was before counts: follow-ups, tool results, sessions and the cache, through Envoy."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATHS = [CHAT, MESSAGES, RESPONSES]
FLIGHT = "Book me a flight to Oslo."
HOTEL = "I need a hotel room for two nights."
MORE = "And one more?"
UNFIT = "Explain quantum chromodynamics."
NUMBERS = itertools.count()

ORCHESTRATOR = """
orchestrator: {max_agents: 2, session: {header: X-Conversation}}
observability: {response_headers: full}
"""
RULES = """rules:
      - {when: {headers: {x-both: "yes"}}, agents: [weather_agent, hotel_agent]}"""


@pytest.fixture(scope="module")
def stack(run_module_stack: Callable[..., Stack], travel_yaml: Callable[..., str]) -> Stack:
    return run_module_stack(travel_yaml(listener=RULES, more=ORCHESTRATOR))


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str, **more: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


TOOL_USE: dict[str, list[dict[str, Any]]] = {
    CHAT: [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "hotel, hotel, hotel"},
    ],
    MESSAGES: [
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c", "content": "hotel, hotel, hotel"}
            ],
        },
    ],
    RESPONSES: [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "hotel, hotel, hotel"},
    ],
}


@pytest.fixture
def ask(http: httpx.Client, stack: Stack) -> Callable[..., tuple[str, str]]:
    """Post messages; return the plan and the source of the decision."""

    def post(path: str, *entries: dict[str, Any], **headers: str) -> tuple[str, str]:
        member = "input" if path == RESPONSES else "messages"
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = http.post(stack.url + path, json={member: list(entries)}, headers=names)
        assert answer.status_code == 200, answer.text
        assert answer.json()["agent"] == answer.headers["x-outerloop-plan"]
        return answer.headers["x-outerloop-plan"], answer.headers["x-outerloop-source"]

    return post


Ask = Callable[..., tuple[str, str]]


@pytest.mark.parametrize("path", PATHS)
def test_a_follow_up_goes_on_with_the_agent_of_the_turn_before(ask: Ask, path: str) -> None:
    assert ask(path, user(MORE)) == ("weather_agent", "default")
    followed = ask(path, user(FLIGHT), assistant("Done."), user(MORE))
    assert followed == ("flight_agent", "embedded")
    followed = ask(path, user(FLIGHT), assistant("Done."), user(HOTEL), assistant("Ok"), user(MORE))
    assert followed == ("hotel_agent", "embedded")


def test_the_name_of_an_answer_says_who_gave_it(ask: Ask) -> None:
    named = assistant("Done.", name="hotel_agent")
    assert ask(CHAT, user(FLIGHT), named, user(MORE)) == ("hotel_agent", "embedded")
    nobody = assistant("Done.", name="nobody")
    assert ask(CHAT, user(FLIGHT), nobody, user(MORE)) == ("flight_agent", "embedded")


@pytest.mark.parametrize("path", PATHS)
def test_tool_results_go_to_the_agent_that_the_turn_is_decided_for(ask: Ask, path: str) -> None:
    assert ask(path, user(FLIGHT), *TOOL_USE[path]) == ("flight_agent", "embedded")
    parallel = [*TOOL_USE[path], TOOL_USE[path][-1]]
    assert ask(path, user(FLIGHT), *parallel) == ("flight_agent", "embedded")


@pytest.mark.parametrize("path", PATHS)
def test_tool_results_go_to_the_last_agent_of_a_plan_alone(ask: Ask, path: str) -> None:
    assert ask(path, user(FLIGHT), *TOOL_USE[path], x_both="yes") == ("hotel_agent", "rule")


@pytest.mark.parametrize("path", PATHS)
def test_tool_results_go_where_the_session_was(ask: Ask, path: str) -> None:
    session = f"tools-{next(NUMBERS)}"
    assert ask(path, user(FLIGHT), x_conversation=session) == ("flight_agent", "embedded")
    results = TOOL_USE[path][-1:]
    assert ask(path, *results, x_conversation=session) == ("flight_agent", "embedded")
    assert ask(path, *results) == ("weather_agent", "default")


def test_tool_results_go_to_who_is_named(ask: Ask) -> None:
    call, result = TOOL_USE[CHAT]
    named = {**call, "name": "hotel_agent"}
    assert ask(CHAT, user(FLIGHT), named, result) == ("hotel_agent", "explicit")


@pytest.mark.parametrize("path", PATHS)
def test_a_session_is_remembered_where_only_the_last_turn_is_sent(ask: Ask, path: str) -> None:
    one, other = f"session-{next(NUMBERS)}", f"session-{next(NUMBERS)}"
    assert ask(path, user(FLIGHT), x_conversation=one)[0] == "flight_agent"
    assert ask(path, user(HOTEL), x_conversation=other)[0] == "hotel_agent"
    assert ask(path, user(MORE), x_conversation=one) == ("flight_agent", "embedded")
    assert ask(path, user(MORE), x_conversation=other) == ("hotel_agent", "embedded")
    assert ask(path, user(MORE), x_conversation="nobody's") == ("weather_agent", "default")


def test_what_fits_nothing_does_not_end_a_session(ask: Ask) -> None:
    session = f"session-{next(NUMBERS)}"
    ask(CHAT, user(FLIGHT), x_conversation=session)
    ask(CHAT, user("Thanks, bye!"), x_conversation=session)
    assert ask(CHAT, user(MORE), x_conversation=session) == ("flight_agent", "embedded")


def told(answer: httpx.Response) -> tuple[str, str, str]:
    names = ("x-outerloop-agent", "x-outerloop-source", "x-outerloop-cached")
    agent, source, cached = (answer.headers[name] for name in names)
    return agent, source, cached


@pytest.mark.parametrize(
    ("text", "agent", "source"),
    [(FLIGHT, "flight_agent", "embedded"), (UNFIT, "weather_agent", "default")],
)
def test_the_same_conversation_is_decided_once(
    http: httpx.Client, stack: Stack, text: str, agent: str, source: str
) -> None:
    body = {"messages": [user(f"{text} {next(NUMBERS)}")]}
    assert told(http.post(stack.url + CHAT, json=body)) == (agent, source, "false")
    # What is no part of the decision changes nothing.
    again = {**body, "temperature": 0.5, "stream": False}
    assert told(http.post(stack.url + CHAT, json=again)) == (agent, source, "true")
    changed = {"messages": [user(f"{text} {next(NUMBERS)}")]}
    assert told(http.post(stack.url + CHAT, json=changed)) == (agent, source, "false")


def test_what_is_not_decided_is_not_remembered(http: httpx.Client, stack: Stack) -> None:
    body = {"model": "hotel_agent", "messages": [user(FLIGHT)]}
    for _ in range(2):
        answer = http.post(stack.url + CHAT, json=body)
        assert told(answer) == ("hotel_agent", "explicit", "false")
