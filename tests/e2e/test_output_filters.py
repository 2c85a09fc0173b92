"""Filters of answers through a real Envoy."""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Process, Stack

SERVICE = str(Path(__file__).parents[1] / "support/filter_service.py")
AGENT = str(Path(__file__).parents[1] / "support/streaming_agent.py")
CHAT = "/v1/chat/completions"
YAML = """
version: v1
agents:
  - {{id: strict, url: "{agent}"}}
  - {{id: lenient, url: "{agent}"}}
  - {{id: watched, url: "{agent}"}}
  - {{id: whole, url: "{agent}"}}
  - {{id: plain, url: "{agent}"}}
  - {{id: masked, url: "{agent}"}}
  - {{id: down, url: "{agent}"}}
  - {{id: down_skip, url: "{agent}"}}
  - {{id: dead, url: "http://127.0.0.1:{dead}"}}
filters:
  - {{id: guard, url: "{http}", type: http, timeout: 2s, forward_headers: [x-tenant]}}
  - {{id: skip, url: "{http}", type: http, timeout: 2s, on_error: skip}}
  - {{id: shadow, url: "{http}", type: http, timeout: 5s, mode: shadow}}
  - {{id: down, url: "http://127.0.0.1:{dead}", type: http}}
  - {{id: down_skip, url: "http://127.0.0.1:{dead}", type: http, on_error: skip}}
  - {{id: at_once, url: "{http}", type: http, timeout: 5s, stream: whole}}
  - {{id: personal, type: builtin, use: pii}}
observability: {{response_headers: full}}
limits: {{max_response_bytes: 100KiB}}
listeners:
  - name: out
    port: 0
    rules:
      - {{when: {{headers: {{x-plan: two}}}}, agents: [strict, plain]}}
    agents:
      - {{id: strict, description: anything, output_filters: [guard]}}
      - {{id: lenient, description: other, output_filters: [skip]}}
      - {{id: watched, description: others, output_filters: [shadow]}}
      - {{id: whole, description: others, output_filters: [at_once]}}
      - {{id: plain, description: more}}
      - {{id: masked, description: others, input_filters: [], output_filters: [personal]}}
      - {{id: down, description: gone, output_filters: [down]}}
      - {{id: down_skip, description: gone, output_filters: [down_skip]}}
      - {{id: dead, description: gone, output_filters: [guard]}}
"""


@pytest.fixture(scope="module")
def services(start_process: type[Process]) -> Iterator[dict[str, str]]:
    scripts = {"http": (SERVICE, "http"), "agent": (AGENT,)}
    processes = {name: start_process(sys.executable, *argv) for name, argv in scripts.items()}
    yield {
        name: f"http://127.0.0.1:{process.wait_line(str.isdigit)}"
        for name, process in processes.items()
    }
    for process in processes.values():
        process.stop()


@pytest.fixture(scope="module")
def stack(
    run_module_stack: Callable[..., Stack],
    services: dict[str, str],
    free_ports: Callable[[int], list[int]],
) -> Stack:
    return run_module_stack(YAML.format(dead=free_ports(1)[0], **services), "--workers", "2")


def body_of(model: str, text: str, *, stream: bool = False) -> dict[str, Any]:
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]}


def post(stack: Stack, model: str, text: str, **headers: str) -> httpx.Response:
    return httpx.post(stack.url + CHAT, json=body_of(model, text), headers=headers, timeout=60)


def text_of(answer: httpx.Response) -> str:
    return str(answer.json()["choices"][0]["message"]["content"])


def events(stack: Stack, model: str, text: str) -> list[str]:
    """The data of each event of a streamed answer."""
    body = body_of(model, text, stream=True)
    answer = httpx.post(stack.url + CHAT, json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]


def words(datas: list[str]) -> list[str]:
    return [json.loads(data)["choices"][0]["delta"]["content"] for data in datas if data[0] == "{"]


def test_a_whole_answer_is_changed_and_its_headers_are_true(stack: Stack) -> None:
    answer = post(stack, "strict", "my secret")
    assert (answer.status_code, text_of(answer)) == (200, "my [gone]")
    assert answer.headers["content-length"] == str(len(answer.content))
    assert "etag" not in answer.headers
    assert answer.headers["x-outerloop-agent"] == "strict"
    line = stack.access_log(answer.headers["x-request-id"])
    assert line["output_filters"] == "guard=changed"


def test_an_answer_that_is_not_changed_is_as_it_was_sent(stack: Stack) -> None:
    answer = post(stack, "strict", "hello")
    assert (text_of(answer), answer.headers["etag"]) == ("hello", '"x"')
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("text", ["gzip secret", "text secret", "status:429 secret"])
def test_whatever_encoding_type_or_status(text: str, stack: Stack) -> None:
    answer = post(stack, "strict", text)
    assert answer.status_code == (429 if "429" in text else 200)
    assert "secret" not in answer.text
    assert "content-encoding" not in answer.headers
    assert "[gone]" in text_of(answer)


def test_a_refused_answer_is_an_error_like_any_other(
    stack: Stack, refused: Callable[..., dict[str, Any]]
) -> None:
    answer = post(stack, "strict", "refuse this")
    error = refused(answer, CHAT, 451, "filter_denied")
    assert (error["message"], error["filter"]) == ("not that", "guard")
    assert answer.headers["x-outerloop-agent"] == "strict"
    line = stack.access_log(answer.headers["x-request-id"])
    assert (line["output_filters"], line["error"]) == ("guard=denied", "filter_denied")


FAILURES = {
    **dict.fromkeys(("fail", "nonsense", "redirect", "cut", "large"), 502),
    "slow": 504,
}


@pytest.mark.parametrize("word", FAILURES)
def test_each_way_to_fail_lets_no_byte_through(
    word: str, stack: Stack, refused: Callable[..., dict[str, Any]]
) -> None:
    answer = post(stack, "strict", f"{word} private")
    refused(answer, CHAT, FAILURES[word], "filter_failed")
    assert "private" not in answer.text
    datas = events(stack, "strict", f"one {word}-private two")
    assert words(datas[:1]) == ["one"]
    assert json.loads(datas[1])["error"]["code"] == "filter_failed"
    assert "private" not in "".join(datas)
    assert text_of(post(stack, "lenient", f"{word} private")) == f"{word} private"


def test_a_filter_that_is_not_there(stack: Stack, refused: Callable[..., dict[str, Any]]) -> None:
    refused(post(stack, "down", "private"), CHAT, 502, "filter_failed")
    body = body_of("down", "one two", stream=True)
    refused(httpx.post(stack.url + CHAT, json=body, timeout=60), CHAT, 502, "filter_failed")
    assert text_of(post(stack, "down_skip", "private")) == "private"


@pytest.mark.parametrize("text", ["brotli", "flood"])
def test_no_unfiltered_byte_passes_unless_the_filter_is_skipped(
    text: str, stack: Stack, refused: Callable[..., dict[str, Any]]
) -> None:
    refused(post(stack, "strict", text), CHAT, 502, "filter_failed")
    with httpx.stream(
        "POST",
        stack.url + CHAT,
        json=body_of("lenient", text),
        timeout=60,
    ) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.status_code == 200
    assert text.encode() in raw


def test_a_shadow_of_an_answer_changes_nothing(stack: Stack) -> None:
    answer = post(stack, "watched", "refuse my secret")
    assert text_of(answer) == "refuse my secret"
    line = stack.access_log(answer.headers["x-request-id"])
    assert line["output_filters"] == "shadow=shadow_denied"


def test_errors_of_envoy_are_not_filtered(
    stack: Stack, refused: Callable[..., dict[str, Any]]
) -> None:
    refused(post(stack, "dead", "hello"), CHAT, 503, "upstream_unreachable")


def test_events_are_filtered_one_by_one(stack: Stack) -> None:
    datas = events(stack, "strict", "one secret drop two")
    assert words(datas) == ["one", "[gone]", "two"]
    assert datas[-1] == "[DONE]"


def test_events_arrive_when_they_are_sent(stack: Stack, services: dict[str, str]) -> None:
    """By causality: the agent sends the second event only once the first was seen."""
    body = body_of("strict", "wait one two", stream=True)
    with httpx.stream("POST", stack.url + CHAT, json=body, timeout=60) as answer:
        lines = answer.iter_lines()
        assert "wait" in next(lines)
        httpx.post(f"{services['agent']}/go").raise_for_status()
        assert words([line[6:] for line in lines if line.startswith("data: ")]) == ["one", "two"]


def test_the_first_event_may_still_be_refused_as_an_answer(
    stack: Stack, refused: Callable[..., dict[str, Any]]
) -> None:
    body = body_of("strict", "refuse two", stream=True)
    answer = httpx.post(stack.url + CHAT, json=body, timeout=60)
    refused(answer, CHAT, 451, "filter_denied")


@pytest.mark.parametrize(("word", "code"), [("refuse", "filter_denied"), ("fail", "filter_failed")])
def test_a_later_event_ends_the_stream_with_an_error(word: str, code: str, stack: Stack) -> None:
    datas = events(stack, "strict", f"one {word} two")
    assert words(datas[:1]) == ["one"]
    [last] = datas[1:]
    assert json.loads(last)["error"]["code"] == code


def test_the_openai_package_raises_what_ends_a_stream(stack: Stack) -> None:
    client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key="k", max_retries=0)
    chunks = client.chat.completions.create(
        model="strict", stream=True, messages=[{"role": "user", "content": "one refuse two"}]
    )
    with pytest.raises(openai.APIError, match="not that"):
        list(chunks)


def test_a_failing_filter_that_is_skipped_lets_events_pass(stack: Stack) -> None:
    assert words(events(stack, "lenient", "one fail secret")) == ["one", "fail", "[gone]"]


def test_a_whole_stream_is_one_call(stack: Stack, services: dict[str, str]) -> None:
    before = len(httpx.get(f"{services['http']}/calls").json())
    datas = events(stack, "whole", "one secret two")
    assert (words(datas), datas[-1]) == (["one", "[gone]", "two"], "[DONE]")
    assert len(httpx.get(f"{services['http']}/calls").json()) == before + 1


def test_personal_data_that_is_split_over_events_is_masked(stack: Stack) -> None:
    """The agent sends each piece as an event of its own, so that none holds the whole card."""
    card = "card|:4111| 1111| 1111| 1111|, mail| me@|example|.org, bye".replace(" ", "_")
    datas = events(stack, "masked", card.replace("|", " "))
    assert "".join(words(datas)) == "card:[card], mail [email], bye"
    assert datas[-1] == "[DONE]"


def test_an_earlier_agents_answer_passes_its_own_filters(
    stack: Stack, refused: Callable[..., dict[str, Any]]
) -> None:
    answer = post(stack, "plain", "my secret", **{"x-plan": "two"})
    assert text_of(answer) == "my [gone] my secret"  # what the first said, and the question
    refused(post(stack, "plain", "refuse", **{"x-plan": "two"}), CHAT, 451, "filter_denied")


def test_what_a_filter_of_answers_is_told(stack: Stack, services: dict[str, str]) -> None:
    sent = {"authorization": "k", "cookie": "c", "x-tenant": "acme", "x-request-id": "out-1"}
    post(stack, "strict", "hello", **sent)
    last = httpx.get(f"{services['http']}/calls").json()[-1]
    assert last["x-outerloop-phase"] == "output"
    assert last["x-outerloop-status"] == "200"
    assert (last["x-request-id"], last["x-outerloop-agent"]) == ("out-1", "strict")
    assert last["x-tenant"] == "acme"
    assert {"authorization", "cookie"}.isdisjoint(last)


def test_decisions_know_what_became_of_the_answer(stack: Stack) -> None:
    request_id = post(stack, "strict", "a secret").headers["x-request-id"]
    deadline = time.monotonic() + 20
    filters: list[dict[str, Any]] = []
    while not filters and time.monotonic() < deadline:
        shown = httpx.get(f"{stack.admin}/decisions", timeout=20).json()
        [filters] = [each["filters"] for each in shown if each["request_id"] == request_id]
    assert [(each["filter"], each["phase"], each["outcome"]) for each in filters] == [
        ("guard", "output", "changed")
    ]


def test_without_filters_an_answer_never_comes_to_the_processor(stack: Stack) -> None:
    """As Envoy counts: no stream of the second filter, but where an agent's route asks for it."""
    command = Path(f"/proc/{stack.ready()['envoy']['pid']}/cmdline").read_bytes().split(b"\0")
    socket = Path(command[command.index(b"--config-path") + 1].decode()).with_name("envoy.sock")
    transport = httpx.HTTPTransport(uds=str(socket))

    def streams() -> int:
        with httpx.Client(transport=transport, verify=False) as envoy:
            shown = envoy.get("http://envoy/stats?filter=answers.streams_started").text
        return int(shown.strip().rpartition(" ")[2])

    before = streams()
    assert text_of(post(stack, "plain", "a secret")) == "a secret"
    assert words(events(stack, "plain", "a secret")) == ["a", "secret"]
    assert streams() == before
    assert text_of(post(stack, "strict", "a secret")) == "a [gone]"
    assert streams() == before + 1


def test_compressed_data_is_what_the_agent_says(services: dict[str, str]) -> None:
    """The agent does compress, whatever the request accepts: or the test above shows nothing."""
    body = body_of("any", "gzip secret")
    with httpx.stream("POST", services["agent"] + CHAT, json=body) as answer:
        raw = b"".join(answer.iter_raw())
    assert b"secret" in gzip.decompress(raw)
