"""The `openai` package against the travel example: what people point at the gateway."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import openai
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

WEATHER = "What's the weather in Oslo?"
FLIGHT = "Find me a flight from London to Oslo."
HOTEL = "I need a hotel in Oslo for two nights."
AGENTS = ["weather_agent", "flight_agent", "hotel_agent"]
QUESTIONS = [
    (WEATHER, "weather_agent", "Weather in Oslo: "),
    (FLIGHT, "flight_agent", "Flights to Oslo: "),
    (HOTEL, "hotel_agent", "Hotels in Oslo: "),
]


@pytest.fixture
def client(agency: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{agency.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client(agency: Stack) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{agency.url}/v1", api_key="none", max_retries=0
    ) as client:
        yield client


def ask(text: str) -> Any:
    return [{"role": "user", "content": text}]


def chosen(headers: Any) -> tuple[str, str]:
    return headers["x-outerloop-agent"], headers["x-outerloop-source"]


@pytest.mark.parametrize(("text", "agent", "answer"), QUESTIONS)
def test_chat_completions(client: openai.OpenAI, text: str, agent: str, answer: str) -> None:
    raw = client.chat.completions.with_raw_response.create(model="any", messages=ask(text))
    completion = raw.parse()
    assert chosen(raw.headers) == (agent, "embedded")
    assert completion.model == agent
    assert (completion.choices[0].message.content or "").startswith(answer)


@pytest.mark.parametrize(("text", "agent", "answer"), QUESTIONS)
def test_chat_completions_streamed(
    client: openai.OpenAI, text: str, agent: str, answer: str
) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="any", messages=ask(text), stream=True
    )
    chunks = list(raw.parse())
    assert chosen(raw.headers) == (agent, "embedded")
    assert {chunk.model for chunk in chunks} == {agent}
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said.startswith(answer)
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize(("text", "agent", "answer"), QUESTIONS)
def test_responses(client: openai.OpenAI, text: str, agent: str, answer: str) -> None:
    raw = client.responses.with_raw_response.create(model="any", input=text)
    assert chosen(raw.headers) == (agent, "embedded")
    assert raw.parse().output_text.startswith(answer)


@pytest.mark.parametrize(("text", "agent", "answer"), QUESTIONS)
def test_responses_streamed(client: openai.OpenAI, text: str, agent: str, answer: str) -> None:
    with client.responses.stream(model="any", input=ask(text)) as stream:
        events = list(stream)
        final = stream.get_final_response()
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == final.output_text
    assert final.output_text.startswith(answer)
    assert final.model == agent


@pytest.mark.parametrize("agent", AGENTS)
def test_a_model_that_is_an_agents_id_chooses_it(client: openai.OpenAI, agent: str) -> None:
    raw = client.chat.completions.with_raw_response.create(model=agent, messages=ask(WEATHER))
    assert chosen(raw.headers) == (agent, "explicit")
    assert raw.parse().model == agent
    raw_response = client.responses.with_raw_response.create(model=agent, input=WEATHER)
    assert chosen(raw_response.headers) == (agent, "explicit")
    assert raw_response.parse().model == agent


def test_models_are_the_agents(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == AGENTS


async def test_the_asynchronous_client(async_client: openai.AsyncOpenAI) -> None:
    raw = await async_client.chat.completions.with_raw_response.create(
        model="any", messages=ask(FLIGHT)
    )
    assert chosen(raw.headers) == ("flight_agent", "embedded")
    stream = await async_client.chat.completions.create(
        model="any", messages=ask(HOTEL), stream=True
    )
    said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert said.startswith("Hotels in Oslo: ")
    response = await async_client.responses.create(model="any", input=WEATHER)
    assert response.output_text.startswith("Weather in Oslo: ")
    events = await async_client.responses.create(model="hotel_agent", input=WEATHER, stream=True)
    types = [event.type async for event in events]
    assert (types[0], types[-1]) == ("response.created", "response.completed")
    assert [model.id async for model in async_client.models.list()] == AGENTS


def test_what_is_no_conversation_is_a_bad_request(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as chat:
        client.chat.completions.create(model="any", messages=[])
    with pytest.raises(openai.BadRequestError) as responses:
        client.responses.create(model="any", input=[])
    for raised in (chat, responses):
        assert raised.value.code == "invalid_request"
        assert raised.value.type == "invalid_request_error"
        assert raised.value.param is None
        assert raised.value.request_id
        assert "empty" in raised.value.message


def test_an_api_that_is_not_served_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.embeddings.create(model="any", input="text")
    assert (raised.value.code, raised.value.status_code) == ("not_found", 404)


async def test_errors_of_the_asynchronous_client(async_client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        await async_client.chat.completions.create(model="any", messages=[], stream=True)
    assert raised.value.code == "invalid_request"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
def test_an_agents_own_errors_are_what_they_were(
    travel: Stack, status: int, error: type[openai.APIStatusError]
) -> None:
    wish = {
        "x-test-status": str(status),
        "x-test-body": json.dumps('{"error": {"code": "of_the_agent"}}'),
    }
    with (
        openai.OpenAI(base_url=f"{travel.url}/v1", api_key="none", max_retries=0) as client,
        pytest.raises(error) as raised,
    ):
        client.chat.completions.create(
            model="hotel_agent", messages=ask("hello"), extra_headers=wish
        )
    assert raised.value.status_code == status
    assert raised.value.code == "of_the_agent"
    assert "x-outerloop-error" not in raised.value.response.headers
