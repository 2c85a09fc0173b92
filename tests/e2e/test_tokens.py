"""Tokens that agents report, and when their answers begin: measured in Envoy, answers as sent."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.exposition import counted, eventually, growth, key, samples, settled

if TYPE_CHECKING:
    from tests.e2e.conftest import Answer, EchoAgent, Stack

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
YAML = """
version: v1
agents:
  - {{id: weather_agent, url: "{weather}"}}
  - {{id: flight_agent, url: "{gone}", fallback: hotel_agent}}
  - id: hotel_agent
    variants:
      - {{id: stable, weight: 1, url: "{hotel}"}}
      - {{id: canary, weight: 0, url: "{gone}"}}
listeners:
  - type: agent
    name: travel
    port: 0
    rules: [{{when: {{headers: {{x-test-plan: two}}}}, agents: [weather_agent, hotel_agent]}}]
    agents: [{{id: weather_agent}}, {{id: flight_agent}}, {{id: hotel_agent}}]
limits: {{max_request_bytes: 16KiB}}
observability: {{response_headers: full}}
"""


def event(data: dict[str, Any]) -> str:
    kind = f"event: {data['type']}\n" if "type" in data else ""
    return f"{kind}data: {json.dumps(data)}\n\n"


CHAT_EVENTS = [
    event({"choices": [{"index": 0, "delta": {"content": "hi"}}], "usage": None}),
    event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5}}),
    "data: [DONE]\n\n",
]
START = {"input_tokens": 3, "output_tokens": 1, "cache_creation": {"input_tokens": 8}}
MESSAGES_EVENTS = [
    event({"type": "message_start", "message": {"content": [], "usage": START}}),
    event({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hi"}}),
    event({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 5}}),
]
DETAILED = {
    "input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 2, "output_tokens": 8},
    "output_tokens": 5,
    "iterations": [{"input_tokens": 1, "output_tokens": 2}],
    "total_tokens": 8,
}
RESPONSES_EVENTS = [
    event({"type": "response.created", "response": {"usage": None}}),
    event({"type": "response.completed", "response": {"output": [], "usage": DETAILED}}),
]


@pytest.fixture(scope="module")
def stack(
    run_module_stack: Callable[..., Stack],
    echo_agents: dict[str, EchoAgent],
    free_ports: Callable[[int], list[int]],
) -> Stack:
    urls = {name.removesuffix("_agent"): each.url for name, each in echo_agents.items()}
    return run_module_stack(YAML.format(gone=f"http://127.0.0.1:{free_ports(1)[0]}", **urls))


def body(path: str, agent: str = "weather_agent", text: str = "hello") -> dict[str, Any]:
    said = (
        {"input": text} if path == RESPONSES else {"messages": [{"role": "user", "content": text}]}
    )
    return {"model": agent, **said}


def streamed(events: Sequence[str | list[object]], pause: float = 0) -> dict[str, str]:
    return {"x-test-sse": f"{len(events)},{pause}", "x-test-events": json.dumps(events)}


def tokens(agent: str = "weather_agent", variant: str = "", **directions: int) -> dict[Any, float]:
    name = "outerloop_agent_tokens_total"
    labels = {"agent": agent, "variant": variant}
    return {key(name, **labels, direction=each): count for each, count in directions.items()}


class Counting:
    """What tokens are counted from now on, and what the access log says of a request."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.before = self.now()

    def now(self) -> dict[Any, float]:
        found = counted(self.stack.admin)
        return {each: found[each] for each in found if each[0] == "outerloop_agent_tokens_total"}

    def grown(self) -> dict[Any, float]:
        return growth(self.before, self.now())

    def logged(self, request_id: str) -> tuple[int | None, int | None]:
        line = self.stack.access_log(request_id)
        return line["input_tokens"], line["output_tokens"]


@pytest.fixture
def counting(stack: Stack) -> Counting:
    return Counting(stack)


@pytest.mark.parametrize(
    ("path", "usage"),
    [
        (CHAT, {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}),
        (MESSAGES, {"input_tokens": 3, "cache_read_input_tokens": 7, "output_tokens": 5}),
        (RESPONSES, DETAILED),
    ],
)
def test_of_whole_answers(
    http: httpx.Client, counting: Counting, path: str, usage: dict[str, Any]
) -> None:
    name = f"whole-{path}".replace("/", "-")
    wish = {"x-request-id": name, "x-test-usage": json.dumps(usage)}
    answer = http.post(counting.stack.url + path, json=body(path), headers=wish)
    assert answer.json()["usage"] == usage
    assert counting.logged(name) == (3, 5)
    eventually(counting.grown, tokens(input=3, output=5))


@pytest.mark.parametrize(
    ("path", "events"),
    [(CHAT, CHAT_EVENTS), (MESSAGES, MESSAGES_EVENTS), (RESPONSES, RESPONSES_EVENTS)],
)
@pytest.mark.parametrize("cut", [0, 1, 7])
def test_of_streams_however_they_are_cut(
    http: httpx.Client, counting: Counting, path: str, events: list[str], cut: int
) -> None:
    name = f"stream-{path}-{cut}".replace("/", "-")
    whole = "".join(events)
    # Pieces of a few bytes, each a chunk of its own.
    pieces = [whole[i : i + cut] for i in range(0, len(whole), cut)] if cut else events
    wish = {"x-request-id": name, **streamed(pieces)}
    answer = http.post(counting.stack.url + path, json=body(path), headers=wish)
    assert answer.text == whole + "data: [DONE]\n\n"
    assert counting.logged(name) == (3, 5)
    eventually(counting.grown, tokens(input=3, output=5))


def test_of_a_stream_that_comes_faster_than_anybody_writes(
    http: httpx.Client, counting: Counting
) -> None:
    # Beyond 256 KiB the middle of what comes at once is passed over.
    start, delta, end = MESSAGES_EVENTS
    wish = {"x-request-id": "fast", **streamed([start, [delta, 10_000], end, [delta, 10]])}
    answer = http.post(counting.stack.url + MESSAGES, json=body(MESSAGES), headers=wish)
    assert answer.text == start + delta * 10_000 + end + delta * 10 + "data: [DONE]\n\n"
    assert len(answer.content) > 2**20
    assert counting.logged("fast") == (3, 5)
    eventually(counting.grown, tokens(input=3, output=5))


def test_an_event_with_usage_arrives_while_the_agent_waits(
    http: httpx.Client, counting: Counting, echo_agents: dict[str, EchoAgent]
) -> None:
    wish = {"x-request-id": "held", "x-test-hold": "now", **streamed(CHAT_EVENTS[1:])}
    url = counting.stack.url + CHAT
    with http.stream("POST", url, json=body(CHAT), headers=wish) as answer:
        # The agent goes on only after the client has seen this.
        events = answer.iter_text()
        assert next(events) == CHAT_EVENTS[1]
        echo_agents["weather_agent"].release("held")
        assert "".join(events).startswith(CHAT_EVENTS[2])
    assert counting.logged("held") == (3, 5)


def test_a_client_that_leaves_has_what_was_reported_so_far(
    http: httpx.Client, counting: Counting
) -> None:
    wish = {"x-request-id": "left", "x-test-hold": "now", **streamed(MESSAGES_EVENTS)}
    url = counting.stack.url + MESSAGES
    with http.stream("POST", url, json=body(MESSAGES), headers=wish) as answer:
        assert next(answer.iter_text()) == MESSAGES_EVENTS[0]
    assert counting.logged("left") == (3, 1)
    eventually(counting.grown, tokens(input=3, output=1))


@pytest.mark.parametrize(
    "wish",
    [
        pytest.param({}, id="none"),
        pytest.param({"x-test-usage": "null"}, id="null"),
        pytest.param(
            {"x-test-usage": '{"input_tokens": "9", "output_tokens": -9}'}, id="no number"
        ),
        pytest.param({"x-test-usage": '{"input_tokens": 1234567890}'}, id="too large"),
        pytest.param({"x-test-usage": '{"details": {"input_tokens": 9}}'}, id="nested"),
        pytest.param({"x-test-body": json.dumps('{"usage": {"input_tokens": 9')}, id="cut off"),
        pytest.param(
            {"x-test-body": json.dumps(json.dumps('"usage": {"input_tokens": 9}'))}, id="text"
        ),
        pytest.param({"x-test-body": json.dumps("not JSON")}, id="not JSON"),
        pytest.param(
            {
                "x-test-usage": '{"input_tokens": 9}',
                "x-test-headers": '[["content-type", "text/plain"]]',
            },
            id="another type",
        ),
    ],
)
def test_nothing_where_nothing_is_reported(
    http: httpx.Client, counting: Counting, wish: dict[str, str]
) -> None:
    name = f"nothing-{time.monotonic_ns()}"
    url = counting.stack.url + CHAT
    answer = http.post(url, json=body(CHAT), headers={"x-request-id": name, **wish})
    assert answer.status_code == 200
    assert counting.logged(name) == (None, None)
    assert counting.grown() == {}


def test_an_encoded_answer_passes_and_is_not_read(http: httpx.Client, counting: Counting) -> None:
    sent = '{"usage": {"input_tokens": 9}}'
    headers = json.dumps([["content-encoding", "br"]])
    wish = {"x-request-id": "encoded", "x-test-headers": headers, "x-test-body": json.dumps(sent)}
    url = counting.stack.url + CHAT
    with http.stream("POST", url, json=body(CHAT), headers=wish) as answer:
        assert b"".join(answer.iter_raw()).decode() == sent
    assert counting.logged("encoded") == (None, None)


def test_an_answer_beyond_every_limit_passes_and_is_counted(
    counting: Counting, http2: Callable[..., Answer], http: httpx.Client
) -> None:
    # The echo is longer than the request, whose length is nearly the limit.
    text = "x" * 15_000
    usage = {"x-test-usage": '{"prompt_tokens": 3, "completion_tokens": 5}'}
    wish = {"x-request-id": "large-1", **usage}
    answer = http.post(counting.stack.url + CHAT, json=body(CHAT, text=text), headers=wish)
    assert len(answer.content) > 16 * 1024
    assert answer.json()["usage"] == {"prompt_tokens": 3, "completion_tokens": 5}
    assert counting.logged("large-1") == (3, 5)

    fields = [(":method", "POST"), (":scheme", "http"), (":authority", "travel"), (":path", CHAT)]
    fields += [("x-request-id", "large-2"), *usage.items()]
    again = http2(counting.stack.port, fields, json.dumps(body(CHAT, text=text)).encode())
    assert json.loads(again.body)["usage"] == {"prompt_tokens": 3, "completion_tokens": 5}
    assert counting.logged("large-2") == (3, 5)
    eventually(counting.grown, tokens(input=6, output=10))


def test_each_agent_of_a_plan_has_its_own(http: httpx.Client, counting: Counting) -> None:
    said = {"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": 3}}
    wish = {"x-test-plan": "two", "x-test-body": json.dumps(json.dumps(said))}
    url = counting.stack.url + CHAT
    answer = http.post(url, json=body(CHAT, "any"), headers={"x-request-id": "plan-of-two", **wish})
    assert answer.headers["x-outerloop-plan"] == "weather_agent,hotel_agent"
    assert counting.logged("plan-of-two") == (3, None)
    wanted = tokens(input=3) | tokens("hotel_agent", "stable", input=3)
    eventually(counting.grown, wanted)


def test_they_are_those_of_the_agent_that_took_over(http: httpx.Client, counting: Counting) -> None:
    wish = {"x-request-id": "taken", "x-test-usage": '{"input_tokens": 3, "output_tokens": 5}'}
    url = counting.stack.url + CHAT
    answer = http.post(url, json=body(CHAT, "flight_agent"), headers=wish)
    assert answer.headers["x-outerloop-agent"] == "hotel_agent"
    assert counting.logged("taken") == (3, 5)
    eventually(counting.grown, tokens("hotel_agent", "stable", input=3, output=5))


def first_bytes(stack: Stack) -> tuple[float, float]:
    """Return how many were measured, and how many of them within 0.5 s."""
    name, labels = "outerloop_agent_first_byte_seconds", {"agent": "weather_agent", "variant": ""}
    found = samples(stack.admin)
    return found[key(f"{name}_count", **labels)], found[key(f"{name}_bucket", **labels, le="0.5")]


def test_the_first_byte_is_the_bodys_and_not_the_end(http: httpx.Client, stack: Stack) -> None:
    measured, quick = settled(lambda: first_bytes(stack))
    # The headers, and the first event, come at once; the end does not.
    http.post(stack.url + CHAT, json=body(CHAT), headers=streamed(CHAT_EVENTS, 0.6))
    http.post(stack.url + CHAT, json=body(CHAT), headers={"x-test-delay": "0.8"})
    eventually(lambda: first_bytes(stack), (measured + 2, quick + 1))


def test_they_are_counted_only_where_the_file_says_so(
    http: httpx.Client,
    run_stack: Callable[..., Stack],
    travel_yaml: Callable[..., str],
) -> None:
    stack = run_stack(travel_yaml(more="observability: {tokens: false}"))
    counting = Counting(stack)
    wish = {"x-request-id": "off", "x-test-usage": '{"input_tokens": 3}'}
    assert http.post(stack.url + CHAT, json=body(CHAT), headers=wish).status_code == 200
    assert counting.logged("off") == (None, None)
    assert counting.grown() == {}


def test_envoy_has_nothing_to_complain_about(stack: Stack) -> None:
    """Last: of scripts, and of values that are not there, it would log errors."""
    assert "[error]" not in stack.process.output
