"""The last agent's answer is Envoy's to stream; SDKs see nothing of the plan before it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack
    from tests.e2e.plans.conftest import Agents, Client

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATHS = (CHAT, MESSAGES, RESPONSES)
TWO = "What's the weather in Oslo, and find me a flight to Oslo."
THREE = "Check the weather in Paris, find me a flight to Paris, and book a hotel in Paris."
ANSWERS = {TWO: ("Flights to Oslo: ", "Pack for "), THREE: ("Hotels in Paris: ", "Late check-in")}
PLANS = {
    TWO: "weather_agent,flight_agent",
    THREE: "weather_agent,flight_agent,hotel_agent",
}


@pytest.mark.parametrize("earlier", ["says", "streams"])
@pytest.mark.parametrize("path", PATHS)
def test_the_last_answer_is_streamed_as_it_comes(
    plans: Client, agents: Agents, path: str, earlier: str
) -> None:
    """The client has the first event before the agent has the second to send."""
    rest = agents.event()
    first = getattr(agents, earlier)("told before")
    request_id = agents.script(a=first, b=agents.streams("first,second", until=rest))
    key = "input" if path == RESPONSES else "messages"
    body = json.dumps({"stream": True, key: [{"role": "user", "content": "hi"}]})
    headers = {"x-plan": "a,b", "x-request-id": request_id}
    url = plans.stack.listeners["fail"] + path
    with plans.http.stream("POST", url, content=body, headers=headers) as answer:
        assert answer.headers["x-outerloop-plan"] == "a,b"
        assert answer.headers["content-type"] == "text/event-stream"
        chunks = answer.iter_bytes()
        begun = next(chunks)
        last = agents.calls(request_id)[-1]
        assert last.agent == "b"
        assert last.ended is None
        assert b"second" not in begun
        agents.set(rest)
        whole = begun + b"".join(chunks)
    assert b"second" in whole
    assert b"told before" not in whole
    assert last.texts[0] == ("assistant", "told before")


@pytest.mark.parametrize("status", [200, 404, 418, 500, 503])
def test_the_last_answer_is_passed_on_whatever_its_status(
    plans: Client, agents: Agents, status: int
) -> None:
    body = b'{"of": "the agent"}'
    request_id = agents.script(b=agents.answers(body, status=status, headers={"x-own": "1"}))
    answer = plans.post("fail", "a,b", under=request_id)
    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers["x-own"] == "1"
    assert "x-outerloop-error" not in answer.headers


@pytest.fixture
def client(agency: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{agency.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def check(text: str, said: str, headers: Any) -> None:
    begins, knows = ANSWERS[text]
    assert said.startswith(begins)
    assert knows in said
    assert headers["x-outerloop-plan"] == PLANS[text]
    assert headers["x-outerloop-source"] == "embedded"


@pytest.mark.parametrize("text", PLANS)
@pytest.mark.parametrize("stream", [False, True])
def test_openai_chat_completions(client: openai.OpenAI, text: str, *, stream: bool) -> None:
    messages: Any = [{"role": "user", "content": text}]
    create = client.chat.completions.with_raw_response.create
    if not stream:
        whole = create(model="any", messages=messages)
        return check(text, whole.parse().choices[0].message.content or "", whole.headers)
    raw = create(model="any", messages=messages, stream=True)
    chunks = list(raw.parse())
    assert {chunk.model for chunk in chunks} == {PLANS[text].split(",")[-1]}
    said = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert len(said) > 5
    return check(text, "".join(said), raw.headers)


@pytest.mark.parametrize("text", PLANS)
@pytest.mark.parametrize("stream", [False, True])
def test_openai_responses(client: openai.OpenAI, text: str, *, stream: bool) -> None:
    create = client.responses.with_raw_response.create
    if not stream:
        whole = create(model="any", input=text)
        return check(text, whole.parse().output_text, whole.headers)
    raw = create(model="any", input=text, stream=True)
    events = list(raw.parse())
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    said = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(said) > 5
    return check(text, "".join(said), raw.headers)


@pytest.mark.parametrize("text", PLANS)
@pytest.mark.parametrize("stream", [False, True])
def test_anthropic_messages(agency: Stack, text: str, *, stream: bool) -> None:
    messages: Any = [{"role": "user", "content": text}]
    wish: dict[str, Any] = {"model": "any", "max_tokens": 99, "messages": messages}
    with anthropic.Anthropic(base_url=agency.url, api_key="none", max_retries=0) as client:
        if not stream:
            whole = client.messages.with_raw_response.create(**wish)
            return check(text, whole.parse().content[0].text, whole.headers)
        with client.messages.stream(**wish) as events:
            said = list(events.text_stream)
            headers = events.response.headers
    assert len(said) > 5
    return check(text, "".join(said), headers)


def test_a_failed_step_is_an_error_that_sdks_raise(plans: Client, agents: Agents) -> None:
    body: Any = [{"role": "user", "content": "hi"}]
    headers = {"x-plan": "a,b", "x-request-id": agents.script(a=agents.answers(b"", status=500))}
    base = plans.stack.listeners["fail"]
    with (
        openai.OpenAI(base_url=f"{base}/v1", api_key="none", max_retries=0) as client,
        pytest.raises(openai.InternalServerError) as raised,
    ):
        client.chat.completions.create(
            model="any", messages=body, stream=True, extra_headers=headers
        )
    assert (raised.value.status_code, raised.value.code) == (502, "step_failed")
    assert raised.value.body["agent"] == "a"  # type: ignore[index] # the error object
    with (
        anthropic.Anthropic(base_url=base, api_key="none", max_retries=0) as other,
        pytest.raises(anthropic.InternalServerError) as failed,
    ):
        other.messages.create(model="any", max_tokens=9, messages=body, extra_headers=headers)
    error = failed.value.body["error"]  # type: ignore[index] # the whole document
    assert (error["code"], error["agent"], error["upstream_status"]) == ("step_failed", "a", 500)
