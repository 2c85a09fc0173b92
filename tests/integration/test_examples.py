"""The sample agents, asked directly with the clients that people use."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from anthropic import Anthropic
from openai import OpenAI

SCRIPT = Path(__file__).parents[2] / "examples/travel/agents.py"
AGENTS = ["weather_agent", "flight_agent", "hotel_agent"]
SampleAgents = Callable[[float], AbstractContextManager[dict[str, str]]]
QUESTION: Any = [{"role": "user", "content": "What's the weather in Oslo?"}]
ANSWER = "Weather in Oslo: "


@pytest.fixture(scope="module")
def urls(sample_agents: SampleAgents) -> Iterator[dict[str, str]]:
    with sample_agents(0) as found:
        yield found


@pytest.fixture(scope="module")
def openai(urls: dict[str, str]) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{urls['weather_agent']}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def anthropic(urls: dict[str, str]) -> Iterator[Anthropic]:
    with Anthropic(base_url=urls["weather_agent"], api_key="none", max_retries=0) as client:
        yield client


def ask(url: str, *texts: str) -> str:
    """Ask in chat completions, user and assistant in turn; return the answer."""
    messages = [
        {"role": ("user", "assistant")[index % 2], "content": text}
        for index, text in enumerate(texts)
    ]
    answer = httpx.post(f"{url}/v1/chat/completions", json={"messages": messages})
    return str(answer.json()["choices"][0]["message"]["content"])


def test_each_agent_announces_itself_and_is_healthy(urls: dict[str, str]) -> None:
    assert list(urls) == AGENTS
    assert [httpx.get(f"{url}/healthz").status_code for url in urls.values()] == [200] * 3


def test_chat_completions(openai: OpenAI) -> None:
    completion = openai.chat.completions.create(model="any", messages=QUESTION)
    assert completion.model == "weather_agent"
    assert (completion.choices[0].message.content or "").startswith(ANSWER)
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 5
    assert completion.usage.total_tokens == 5 + completion.usage.completion_tokens


def test_chat_completions_streamed(openai: OpenAI) -> None:
    whole = openai.chat.completions.create(model="any", messages=QUESTION)
    chunks = list(openai.chat.completions.create(model="any", messages=QUESTION, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].usage == whole.usage


def test_responses(openai: OpenAI) -> None:
    response = openai.responses.create(model="any", input="What's the weather in Oslo?")
    assert response.output_text.startswith(ANSWER)
    assert response.usage is not None
    assert response.usage.input_tokens == 5


def test_responses_streamed(openai: OpenAI) -> None:
    with openai.responses.stream(model="any", input=QUESTION) as stream:
        events = list(stream)
        final = stream.get_final_response()
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == final.output_text
    assert final.output_text.startswith(ANSWER)
    numbers = [event.sequence_number for event in events]
    assert numbers == list(range(len(events)))


def test_messages(anthropic: Anthropic) -> None:
    message = anthropic.messages.create(model="any", max_tokens=100, messages=QUESTION)
    assert message.content[0].type == "text"
    assert message.content[0].text.startswith(ANSWER)
    assert (message.stop_reason, message.usage.input_tokens) == ("end_turn", 5)


def test_messages_streamed(anthropic: Anthropic) -> None:
    whole = anthropic.messages.create(model="any", max_tokens=100, messages=QUESTION)
    with anthropic.messages.stream(model="any", max_tokens=100, messages=QUESTION) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert whole.content[0].type == "text"
    assert text == stream.get_final_text() == whole.content[0].text
    assert final.usage.output_tokens == whole.usage.output_tokens


def test_a_chat_stream_ends_in_done(urls: dict[str, str]) -> None:
    body = {"messages": QUESTION, "stream": True}
    answer = httpx.post(f"{urls['weather_agent']}/v1/chat/completions", json=body)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("text", "city"),
    [
        ("weather in oslo please", "Oslo"),
        ("a trip from London to Lisbon", "Lisbon"),
        ("Fly to Lisbon from London", "Lisbon"),
        ("Is it cold in Novi Sad?", "Novi Sad"),
        ("near Zürich", "Zürich"),
    ],
)
def test_the_city_is_found(urls: dict[str, str], text: str, city: str) -> None:
    assert ask(urls["weather_agent"], text).startswith(f"Weather in {city}: ")


def test_a_client_that_hangs_up_is_no_error(sample_agents: SampleAgents) -> None:
    with sample_agents(0.01) as urls:
        url = f"{urls['weather_agent']}/v1/chat/completions"
        body = {"messages": QUESTION, "stream": True}
        with httpx.stream("POST", url, json=body) as answer:
            assert next(answer.iter_lines()).startswith("data: ")
        assert ask(urls["weather_agent"], "in Rome")


def test_a_question_without_a_city_is_asked_back(urls: dict[str, str]) -> None:
    assert ask(urls["hotel_agent"], "I need a room") == "Which city do you mean?"


def test_agents_build_on_what_was_said_before(urls: dict[str, str]) -> None:
    forecast = ask(urls["weather_agent"], "weather in Oslo")
    flight = ask(urls["flight_agent"], "weather in Oslo", forecast, "and a flight there?")
    assert flight.startswith("Flights to Oslo: ")
    assert " Pack for " in flight
    hotel = ask(urls["hotel_agent"], "a flight to Oslo", flight, "and a hotel")
    assert hotel.startswith("Hotels in Oslo: ")
    assert "Late check-in" in hotel
    assert "Pack for" not in ask(urls["flight_agent"], "a flight to Oslo")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"messages": []}', b'{"messages": ["text"]}', b"[" * 100_000],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_what_is_no_conversation_is_a_400(urls: dict[str, str], path: str, body: bytes) -> None:
    answer = httpx.post(urls["hotel_agent"] + path, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_parts_without_text_add_nothing(urls: dict[str, str]) -> None:
    content = [{"type": "image_url", "image_url": {"url": "data:"}}, {"text": "in Rome"}, 3]
    body = json.dumps({"messages": [{"content": content}, {"content": None}]})
    answer = httpx.post(f"{urls['weather_agent']}/v1/messages", content=body)
    assert answer.json()["content"][0]["text"].startswith("Weather in Rome: ")


def test_a_port_in_use_is_said_without_a_traceback(urls: dict[str, str]) -> None:
    port = urls["weather_agent"].rpartition(":")[2]
    command = [sys.executable, str(SCRIPT), f"--weather-port={port}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("cannot listen: ")
    assert "Traceback" not in result.stderr
