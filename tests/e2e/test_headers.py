"""What agents and clients are told about a decision."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Seen, Stack

CHAT = "/v1/chat/completions"
FLIGHT = {"messages": [{"role": "user", "content": "Book me a flight to Oslo."}]}
HOTEL = {"model": "hotel_agent", "messages": [{"role": "user", "content": "hello"}]}
BASIC = {"x-outerloop-agent", "x-outerloop-plan", "x-outerloop-source", "x-request-id"}
FULL = BASIC | {
    "x-outerloop-confidence",
    "x-outerloop-cached",
    "x-outerloop-decision-ms",
    "x-outerloop-step",
}
LEVELS = {"none": set(), "basic": BASIC, "full": FULL}
ReadSeen = Callable[[dict[str, Any]], "Seen"]


@pytest.fixture(scope="module")
def levels(
    run_module_stack: Callable[..., Stack], travel_yaml: Callable[..., str], travel: Stack
) -> dict[str, Stack]:
    yaml = {level: f"observability: {{response_headers: {level}}}" for level in ("none", "basic")}
    stacks = {level: run_module_stack(travel_yaml(more=more)) for level, more in yaml.items()}
    return {**stacks, "full": travel}


def ours(answer: httpx.Response) -> dict[str, str]:
    names = [name for name, _ in answer.headers.multi_items() if name.startswith("x-outer")]
    assert len(names) == len(set(names))
    return {name: value for name, value in answer.headers.items() if name in {*names, *BASIC}}


@pytest.mark.parametrize("level", LEVELS)
def test_the_client_is_told_as_much_as_the_file_says(
    http: httpx.Client, levels: dict[str, Stack], level: str
) -> None:
    answer = http.post(levels[level].url + CHAT, json=FLIGHT)
    assert answer.status_code == 200
    assert set(ours(answer)) == LEVELS[level]


def test_basic_is_the_default(
    http: httpx.Client, run_stack: Callable[..., Stack], travel_yaml: Callable[..., str]
) -> None:
    assert set(ours(http.post(run_stack(travel_yaml()).url + CHAT, json=FLIGHT))) == BASIC


@pytest.mark.parametrize("level", LEVELS)
def test_so_it_is_on_errors(http: httpx.Client, levels: dict[str, Stack], level: str) -> None:
    answer = http.post(levels[level].url + CHAT, content=b"{")
    told = set(ours(answer)) - {"x-outerloop-error"}
    assert told == ({"x-request-id"} if level != "none" else set())
    assert answer.headers["x-outerloop-error"] == "invalid_request"


def test_values_of_an_explicit_choice(http: httpx.Client, travel: Stack) -> None:
    told = ours(http.post(travel.url + CHAT, json=HOTEL, headers={"x-request-id": "mine"}))
    assert float(told.pop("x-outerloop-decision-ms")) >= 0
    assert told == {
        "x-outerloop-agent": "hotel_agent",
        "x-outerloop-plan": "hotel_agent",
        "x-outerloop-source": "explicit",
        "x-outerloop-confidence": "1.00",
        "x-outerloop-cached": "false",
        "x-outerloop-step": "1/1",
        "x-request-id": "mine",
    }


def test_values_of_a_decision(http: httpx.Client, travel: Stack) -> None:
    told = ours(http.post(travel.url + CHAT, json=FLIGHT))
    assert (told["x-outerloop-agent"], told["x-outerloop-source"]) == ("flight_agent", "embedded")
    assert re.fullmatch(r"(0\.\d\d|1\.00)", told["x-outerloop-confidence"])


@pytest.mark.parametrize("body", [FLIGHT, HOTEL])
@pytest.mark.parametrize("level", LEVELS)
def test_the_agent_is_told_everything_whatever_the_level(
    http: httpx.Client, levels: dict[str, Stack], seen: ReadSeen, level: str, body: dict[str, Any]
) -> None:
    got = seen(http.post(levels[level].url + CHAT, json=body).json())
    told = {name: got.all(name) for name, _ in got.headers if name.startswith("x-outerloop-")}
    assert re.fullmatch(r"(0\.\d\d|1\.00)", told.pop("x-outerloop-confidence")[0])
    assert told == {
        "x-outerloop-agent": [got.agent],
        "x-outerloop-plan": [got.agent],
        "x-outerloop-step": ["1/1"],
        "x-outerloop-source": ["explicit" if body is HOTEL else "embedded"],
        "x-outerloop-listener": ["travel"],
    }
    assert len(got.all("x-request-id")) == len(got.all("traceparent")) == 1


def test_the_agent_gets_nothing_else_of_ours(
    http: httpx.Client, travel: Stack, seen: ReadSeen
) -> None:
    sent = http.build_request("POST", travel.url + CHAT, json=HOTEL)
    got = seen(http.send(sent).json())
    known = {*sent.headers, "x-request-id", "traceparent", "x-forwarded-host"}
    added = {name for name, _ in got.headers if not name.startswith("x-outerloop-")} - known
    assert added == {"x-forwarded-for", "x-forwarded-proto", "outerloop-hops"}


def test_models_name_no_agent(http: httpx.Client, travel: Stack) -> None:
    answer = http.get(travel.url + "/v1/models")
    assert answer.status_code == 200
    assert set(ours(answer)) == {"x-request-id"}
    assert answer.headers["content-type"] == "application/json"
