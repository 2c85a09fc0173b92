"""The `anthropic` package against the travel example."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import anthropic
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

AGENTS = ["weather_agent", "flight_agent", "hotel_agent"]
QUESTIONS = [
    ("What's the weather in Oslo?", "weather_agent", "Weather in Oslo: "),
    ("Find me a flight from London to Oslo.", "flight_agent", "Flights to Oslo: "),
    ("I need a hotel in Oslo for two nights.", "hotel_agent", "Hotels in Oslo: "),
]


@pytest.fixture
def client(agency: Stack) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=agency.url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client(agency: Stack) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        base_url=agency.url, api_key="none", max_retries=0
    ) as client:
        yield client


def ask(text: str, model: str = "any") -> Any:
    return {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": text}]}


def chosen(headers: Any) -> tuple[str, str]:
    return headers["x-outerloop-agent"], headers["x-outerloop-source"]


@pytest.mark.parametrize(("text", "agent", "answer"), QUESTIONS)
def test_messages(client: anthropic.Anthropic, text: str, agent: str, answer: str) -> None:
    raw = client.messages.with_raw_response.create(**ask(text))
    message = raw.parse()
    assert chosen(raw.headers) == (agent, "embedded")
    assert (message.model, message.stop_reason) == (agent, "end_turn")
    assert message.content[0].text.startswith(answer)


@pytest.mark.parametrize(("text", "agent", "answer"), QUESTIONS)
def test_messages_streamed(client: anthropic.Anthropic, text: str, agent: str, answer: str) -> None:
    with client.messages.stream(**ask(text)) as stream:
        said = "".join(stream.text_stream)
        whole, final = stream.get_final_text(), stream.get_final_message()
        headers = stream.response.headers
    assert chosen(headers) == (agent, "embedded")
    assert said == whole
    assert said.startswith(answer)
    assert final.model == agent


@pytest.mark.parametrize("agent", AGENTS)
def test_a_model_that_is_an_agents_id_chooses_it(client: anthropic.Anthropic, agent: str) -> None:
    raw = client.messages.with_raw_response.create(**ask("What's the weather in Oslo?", agent))
    assert chosen(raw.headers) == (agent, "explicit")
    assert raw.parse().model == agent


def test_a_beta_keeps_its_query(client: anthropic.Anthropic) -> None:
    message = client.beta.messages.create(**ask("What's the weather in Oslo?"))
    assert message.model == "weather_agent"


def test_models_are_the_agents(client: anthropic.Anthropic) -> None:
    page = client.models.list()
    assert [model.id for model in page.data] == AGENTS
    assert [model.display_name for model in page.data] == AGENTS
    assert not page.has_more


async def test_the_asynchronous_client(async_client: anthropic.AsyncAnthropic) -> None:
    for text, agent, answer in QUESTIONS:
        message = await async_client.messages.create(**ask(text))
        assert message.model == agent
        async with async_client.messages.stream(**ask(text)) as stream:
            assert (await stream.get_final_text()).startswith(answer)
    assert [model.id async for model in async_client.models.list()] == AGENTS


def test_what_is_no_conversation_is_a_bad_request(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError) as raised:
        client.messages.create(model="any", max_tokens=5, messages=[])
    body: Any = raised.value.body
    assert body["type"] == "error"
    assert body["error"]["type"] == "invalid_request_error"
    assert body["error"]["code"] == "invalid_request"
    assert raised.value.response.headers["x-outerloop-error"] == "invalid_request"


def test_an_api_that_is_not_served_is_not_found(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as raised:
        client.messages.count_tokens(model="any", messages=[{"role": "user", "content": "text"}])
    body: Any = raised.value.body
    assert body["error"]["type"] == "not_found_error"
    assert body["error"]["code"] == "not_found"


async def test_errors_of_the_asynchronous_client(async_client: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(anthropic.BadRequestError):
        async with async_client.messages.stream(model="any", max_tokens=5, messages=[]):
            pass


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, anthropic.AuthenticationError),
        (403, anthropic.PermissionDeniedError),
        (429, anthropic.RateLimitError),
        (529, anthropic.InternalServerError),
    ],
)
def test_an_agents_own_errors_are_what_they_were(
    travel: Stack, status: int, error: type[anthropic.APIStatusError]
) -> None:
    body = '{"type": "error", "error": {"type": "of_the_agent", "message": "no"}}'
    wish = {"x-test-status": str(status), "x-test-body": json.dumps(body)}
    with (
        anthropic.Anthropic(base_url=travel.url, api_key="none", max_retries=0) as client,
        pytest.raises(error) as raised,
    ):
        client.messages.create(**ask("hello", "hotel_agent"), extra_headers=wish)
    assert raised.value.status_code == status
    assert raised.value.response.text == body
