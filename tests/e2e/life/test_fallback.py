"""Agents that take over for others within one request."""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Answer, EchoAgent, Seen, Stack

CHAT: Final = "/v1/chat/completions"
MESSAGES: Final = "/v1/messages"
RESPONSES: Final = "/v1/responses"
PATHS: Final = [CHAT, MESSAGES, RESPONSES]
OUTERLOOP: Final = str(Path(sys.executable).parent / "outerloop")
DEADLINE: Final = 60.0
KEY, MODEL = "sk-of-the-taker", "small-model"
YAML = """
version: v1
agents:
  - {{id: plain, url: "{hotel}/pre/fix"}}
  - {{id: taker, url: "{flight}/base/v1", model: {model}, access_key: {key},
      headers: {{x-team: red}}}}
  - {{id: varied, variants: [{{id: stable, weight: 1, url: "{flight}"}},
                             {{id: canary, weight: 0, url: "{hotel}"}}]}}
  - {{id: down, url: "{dead}/of/its/own", fallback: taker, access_key: sk-of-the-dead}}
  - {{id: down_plain, url: "{dead}", fallback: plain}}
  - {{id: down_varied, url: "{dead}", fallback: varied}}
  - {{id: far, url: "{dead}", fallback: down}}
  - {{id: lost, url: "{dead}", fallback: lost_too}}
  - {{id: lost_too, url: "{dead}/too"}}
  - {{id: ring, url: "{dead}", fallback: ring_too}}
  - {{id: ring_too, url: "{dead}", fallback: ring}}
  - {{id: ring_up, url: "{hotel}", fallback: ring_down}}
  - {{id: ring_down, url: "{dead}", fallback: ring_up}}
  - {{id: alive, url: "{weather}", fallback: plain}}
  - {{id: strict, url: "{weather}", retries: {{num_retries: 2, retry_on: [503]}}, fallback: plain}}
  - {{id: resetting, url: "{weather}", retries: {{retry_on: [reset]}}, fallback: plain}}
  - {{id: impatient, url: "{weather}", fallback: plain,
      retries: {{num_retries: 1, retry_on: [reset], per_try_timeout: 200ms}}}}
  - {{id: impatient_once, url: "{weather}", fallback: plain,
      retries: {{num_retries: 0, retry_on: [reset], per_try_timeout: 200ms}}}}
listeners:
  - name: main
    port: 0
    rules:
      - {{when: {{headers: {{x-plan: steps}}}}, agents: [down_plain, down, alive]}}
      - {{when: {{headers: {{x-plan: lost}}}}, agents: [lost, alive]}}
      - {{when: {{headers: {{x-plan: own}}}}, agents: [resetting, alive]}}
      - {{when: {{headers: {{x-plan: hanging}}}}, agents: [impatient, alive]}}
    agents: [{{id: alive}}, {{id: plain}}, {{id: down}}, {{id: down_plain}}, {{id: down_varied}},
             {{id: far}}, {{id: lost}}, {{id: ring}}, {{id: ring_up}}, {{id: ring_down}},
             {{id: strict}}, {{id: resetting}}, {{id: impatient}}, {{id: impatient_once}}]
  # Nobody here leads to `taker`.
  - {{name: narrow, port: 0, agents: [{{id: plain}}, {{id: alive}}]}}
limits: {{max_request_bytes: 1MiB}}
observability: {{response_headers: {level}}}
"""
LIMIT: Final = 2**20
BODY: Final = (
    b'{"a": 1.0, "messages":[{"role":"user","content":"hello"}],"input" :"hello", '
    b'"z":[1E5,"\xc3\xa9\\u00e9"] , "model":"%s" }'
)
SAID: Final = {"choices": [{"message": {"role": "assistant", "content": "said"}}]}
AT_FIRST: Final = {"x-test-at": "weather_agent"}

Ask = Callable[..., httpx.Response]
Refused = Callable[..., dict[str, Any]]
Received = Callable[[httpx.Response], "list[Seen]"]
Agents = dict[str, "EchoAgent"]
numbers = itertools.count()


def body_for(model: str) -> bytes:
    return BODY % model.encode()


@pytest.fixture(scope="module")
def dead() -> Iterator[str]:
    """Where connections are refused: an address that is taken, and nobody listens on it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(scope="module")
def yaml(echo_agents: Agents, dead: str) -> Callable[[str], str]:
    urls = {name.partition("_")[0]: agent.url for name, agent in echo_agents.items()}
    return lambda level: YAML.format(**urls, dead=dead, key=KEY, model=MODEL, level=level)


@pytest.fixture(scope="module")
def stack(run_module_stack: Callable[..., Stack], yaml: Callable[[str], str]) -> Stack:
    return run_module_stack(yaml("full"))


@pytest.fixture
def ask(http: httpx.Client, stack: Stack) -> Ask:
    def post(
        model: str = "none", path: str = CHAT, body: bytes | None = None, **headers: str
    ) -> httpx.Response:
        return http.post(
            stack.url + path,
            content=body_for(model) if body is None else body,
            headers={
                "x-request-id": f"{time.monotonic_ns()}-{next(numbers)}",
                "authorization": "Bearer callers",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )

    return post


@pytest.fixture
def received(echo_agents: Agents) -> Received:
    """Return what agents got of a request, in the order of their names."""

    def find(answer: httpx.Response) -> list[Seen]:
        return [
            seen
            for name in sorted(echo_agents)
            for seen in echo_agents[name].requests()
            if seen.header("x-request-id") == answer.headers["x-request-id"]
        ]

    return find


def served(answer: httpx.Response) -> tuple[int, list[str], list[str]]:
    """Return the status, who served, and who was meant to."""
    headers = answer.headers
    return (
        answer.status_code,
        headers.get_list("x-outerloop-agent"),
        headers.get_list("x-outerloop-plan"),
    )


@pytest.mark.parametrize("path", PATHS)
def test_another_agent_serves_the_request_byte_for_byte(
    ask: Ask, received: Received, stack: Stack, echo_agents: Agents, path: str
) -> None:
    answer = ask("down_plain", path)
    assert served(answer) == (200, ["plain"], ["down_plain"])
    assert "x-outerloop-error" not in answer.headers
    [got] = received(answer)
    assert got.body == body_for("down_plain")
    assert got.target == f"/pre/fix{path}"
    assert got.all("host") == [echo_agents["hotel_agent"].url.removeprefix("http://")]
    # It is told who it is, and has no key of its own, so that the caller's goes on.
    assert got.all("x-outerloop-agent") == ["plain"]
    assert got.all("authorization") == ["Bearer callers"]
    line = stack.access_log(answer.headers["x-request-id"])
    assert (line["agent"], line["plan"], line["attempts"]) == ("plain", "down_plain", 2)
    assert (line["status"], line["error"]) == (200, None)


@pytest.mark.parametrize("path", PATHS)
def test_it_gets_its_own_model_key_headers_and_path(
    ask: Ask, received: Received, path: str
) -> None:
    answer = ask("down", path, x_api_key="callers", x_team="mine")
    assert served(answer) == (200, ["taker"], ["down"])
    [got] = received(answer)
    assert got.body == body_for(MODEL)
    assert got.all("content-length") == [str(len(got.body))]
    assert got.target == f"/base{path}"
    key = ([], [KEY]) if path == MESSAGES else ([f"Bearer {KEY}"], [])
    assert (got.all("authorization"), got.all("x-api-key")) == key
    assert got.all("x-team") == ["red"]


def test_a_query_and_a_large_body_go_along(ask: Ask, received: Received) -> None:
    large = body_for("down_plain").ljust(LIMIT)
    [got] = received(ask(path=f"{CHAT}?a=%20/v1/", body=large))
    assert (got.target, got.body) == (f"/pre/fix{CHAT}?a=%20/v1/", large)
    large = body_for("down").ljust(LIMIT - len(MODEL) + len("down"))
    [got] = received(ask(path=f"{MESSAGES}?a=%20", body=large))
    assert (got.target, got.body) == (f"/base{MESSAGES}?a=%20", body_for(MODEL).ljust(LIMIT))


def test_large_bodies_are_taken_over_each_time(ask: Ask) -> None:
    # An agent that is down is known to be so before a large body has come to where it is tried.
    large = body_for("far").ljust(LIMIT - len(MODEL))
    answers = [ask(body=large, x_test_body='"short"') for _ in range(20)]
    assert all(served(answer)[:2] == (200, ["taker"]) for answer in answers)


def test_one_after_another_is_tried(ask: Ask, received: Received, stack: Stack) -> None:
    answer = ask("far")
    assert served(answer) == (200, ["taker"], ["far"])
    assert [(got.agent, got.body) for got in received(answer)] == [
        ("flight_agent", body_for(MODEL))
    ]
    assert stack.access_log(answer.headers["x-request-id"])["attempts"] == 3


def test_it_goes_on_as_long_as_an_agent_is_down(ask: Ask) -> None:
    # After five failed connections Envoy leaves the host out: no healthy host is down as well.
    assert {served(ask("down"))[:1] for _ in range(12)} == {(200,)}


@pytest.mark.parametrize("path", PATHS)
def test_all_of_a_chain_are_down(ask: Ask, refused: Refused, path: str) -> None:
    answer = ask("lost", path)
    error = refused(answer, path, 503, "upstream_unreachable")
    assert error["agent"] == "lost_too"
    assert served(answer)[1:] == (["lost_too"], ["lost"])


def test_circles_are_harmless(ask: Ask, refused: Refused, stack: Stack) -> None:
    answer = ask("ring")
    refused(answer, CHAT, 503, "upstream_unreachable")
    assert stack.access_log(answer.headers["x-request-id"])["attempts"] == 2
    assert served(ask("ring_up")) == (200, ["ring_up"], ["ring_up"])
    assert served(ask("ring_down")) == (200, ["ring_up"], ["ring_down"])


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_an_agents_own_error_is_its_answer(ask: Ask, received: Received, status: int) -> None:
    answer = ask("alive", x_test_status=str(status), x_test_body='"sorry"', **at_first())
    assert served(answer) == (status, ["alive"], ["alive"])
    assert answer.text == "sorry"
    assert [got.agent for got in received(answer)] == ["weather_agent"]


def at_first() -> dict[str, str]:
    """Return the headers by which the first agent alone does what it is asked to."""
    return {name.replace("-", "_"): value for name, value in AT_FIRST.items()}


def test_a_status_that_is_retried_is_taken_over_after_that(ask: Ask, received: Received) -> None:
    answer = ask("strict", x_test_status="503", **at_first())
    assert served(answer) == (200, ["plain"], ["strict"])
    assert [got.agent for got in received(answer)] == ["hotel_agent", *["weather_agent"] * 3]
    # Another one is not.
    assert served(ask("strict", x_test_status="500", **at_first()))[:2] == (500, ["strict"])


def test_a_request_that_was_sent_is_not_sent_to_another(
    ask: Ask, received: Received, refused: Refused
) -> None:
    answer = ask("alive", x_test_abort="now")
    assert refused(answer, CHAT, 503, "upstream_reset")["agent"] == "alive"
    assert [got.agent for got in received(answer)] == ["weather_agent"]


def test_but_where_resets_are_retried_it_is(ask: Ask, received: Received) -> None:
    answer = ask("resetting", x_test_abort="now", **at_first())
    assert served(answer) == (200, ["plain"], ["resetting"])
    assert [got.agent for got in received(answer)] == ["hotel_agent", *["weather_agent"] * 2]


@pytest.mark.parametrize(("agent", "tries"), [("impatient", 2), ("impatient_once", 1)])
def test_an_agent_that_hangs_is_given_up(
    ask: Ask, received: Received, agent: str, tries: int
) -> None:
    # Longer than any test may take.
    answer = ask(agent, x_test_delay="600", **at_first())
    assert served(answer) == (200, ["plain"], [agent])
    assert [got.agent for got in received(answer)] == ["hotel_agent", *["weather_agent"] * tries]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("agent", "host"), [("down", "flight_agent"), ("alive", "weather_agent")])
def test_events_come_one_by_one(
    http: httpx.Client, stack: Stack, echo_agents: Agents, agent: str, host: str
) -> None:
    number = f"events-{agent}"
    headers = {"x-request-id": number, "x-test-sse": "3,0", "x-test-hold": "now"}
    url, body = stack.url + CHAT, body_for(agent)
    with http.stream("POST", url, content=body, headers=headers) as answer:
        lines = answer.iter_lines()
        # The agent waits until it is told to go on: the first event did not wait for the others.
        assert json.loads(next(lines).removeprefix("data: "))["number"] == 0
        assert number in echo_agents[host].running()
        echo_agents[host].release(number)
        assert [line for line in lines if line][-1] == "data: [DONE]"


def test_who_hangs_up_ends_it_at_the_agent(
    http: httpx.Client, stack: Stack, echo_agents: Agents
) -> None:
    headers = {"x-request-id": "hung-up", "x-test-sse": "2,0", "x-test-hold": "now"}
    url, body = stack.url + CHAT, body_for("down")
    with http.stream("POST", url, content=body, headers=headers) as answer:
        lines = answer.iter_lines()
        next(lines)
        assert "hung-up" in echo_agents["flight_agent"].running()
    until(lambda: "hung-up" not in echo_agents["flight_agent"].running())


def test_an_earlier_agent_of_a_plan_is_taken_over(ask: Ask, received: Received) -> None:
    said = json.dumps(json.dumps(SAID))
    answer = ask(x_plan="steps", x_test_body=said, x_api_key="callers")
    assert served(answer) == (200, ["alive"], ["down_plain,down,alive"])
    taker, plain, last = received(answer)
    assert (plain.agent, plain.target) == ("hotel_agent", f"/pre/fix{CHAT}")
    assert json.loads(plain.body) == {**json.loads(body_for("none")), "stream": False}
    assert (plain.all("authorization"), plain.all("x-outerloop-step")) == (
        ["Bearer callers"],
        ["1/3"],
    )
    assert (taker.agent, taker.target) == ("flight_agent", f"/base{CHAT}")
    assert json.loads(taker.body)["model"] == MODEL
    assert (taker.all("authorization"), taker.all("x-api-key")) == ([f"Bearer {KEY}"], [])
    assert [seen.all("x-outerloop-agent") for seen in (plain, taker)] == [["plain"], ["taker"]]
    # The last one hears it as what was decided, whoever said it.
    names = [each.get("name") for each in json.loads(last.body)["messages"]]
    assert names == ["down_plain", "down", None]


def test_an_earlier_agent_whose_chain_is_down_fails(ask: Ask, refused: Refused) -> None:
    error = refused(ask(x_plan="lost"), CHAT, 502, "step_failed")
    assert error["agent"] == "lost"


@pytest.mark.parametrize(("plan", "ill"), [("own", "abort"), ("hanging", "delay")])
def test_an_earlier_agent_that_breaks_off_or_hangs_is_taken_over(
    ask: Ask, refused: Refused, plan: str, ill: str
) -> None:
    answer = ask(x_plan=plan, **{f"x_test_{ill}": "600"}, **at_first())
    # Another one has answered, though with nothing that a conversation could go on with.
    assert refused(answer, CHAT, 502, "step_failed")["upstream_status"] == 200


def test_a_variant_of_the_one_that_takes_over(ask: Ask, received: Received) -> None:
    answer = ask("down_varied")
    assert served(answer) == (200, ["varied"], ["down_varied"])
    assert answer.headers.get_list("x-outerloop-variant") == ["stable"]
    assert [got.agent for got in received(answer)] == ["flight_agent"]


NONE: Final[set[str]] = set()
BASIC: Final = {"x-outerloop-agent", "x-outerloop-plan", "x-outerloop-source", "x-request-id"}
FULL: Final = BASIC | {
    f"x-outerloop-{each}" for each in ("confidence", "cached", "decision-ms", "step")
}


@pytest.mark.parametrize(("level", "told"), [("none", NONE), ("basic", BASIC)])
def test_no_header_too_many_is_told(
    http: httpx.Client,
    run_stack: Callable[..., Stack],
    yaml: Callable[[str], str],
    level: str,
    told: set[str],
) -> None:
    url = run_stack(yaml(level)).url + CHAT
    for model in ("down_varied", "down_plain", "alive", "plain", "lost"):
        answer = http.post(url, content=body_for(model))
        names = {name for name in answer.headers if name.startswith("x-")}
        assert names == (told | {"x-outerloop-error"} if model == "lost" else told)


def test_nothing_more_is_told_by_who_takes_over(ask: Ask) -> None:
    for model, more in (("down_plain", NONE), ("down_varied", {"x-outerloop-variant"})):
        names = {name for name in ask(model).headers if name.startswith("x-")}
        assert names == FULL | more


def test_it_is_asked_and_it_answers_as_if_it_had_been_meant(ask: Ask, received: Received) -> None:
    own = {"x-outerloop-plan", "x-outerloop-decision-ms", "x-request-id", "date", "traceparent"}
    wish = {
        "x_many": "1, 2",
        "x_test_body": '"the same"',
        "x_test_headers": json.dumps([["x-twice", "1"], ["x-twice", "2"]]),
    }

    def without(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return sorted(each for each in headers if each[0] not in own)

    # The same length, so that bodies and what tells of them are comparable.
    meant, instead = (ask(model, body=body_for(model).ljust(200), **wish) for model in AS_LONG)
    assert without(meant.headers.multi_items()) == without(instead.headers.multi_items())
    assert instead.headers["server"].startswith("Python")
    [direct], [taken] = received(meant), received(instead)
    assert without(direct.headers) == without(taken.headers)
    assert taken.all("x-forwarded-host") == [str(meant.url.netloc.decode())]


AS_LONG: Final = ("plain", "down_plain")


def test_the_host_that_the_client_asked_for_is_told_once(ask: Ask, received: Received) -> None:
    for model in ("down_plain", "far", "alive"):
        [got] = received(ask(model, host="client.example"))
        assert got.all("x-forwarded-host") == ["client.example"]


FORGED: Final = [
    ["x-outerloop-agent", "forged"],
    ["X-Outerloop-Plan", "forged"],
    ["x-outerloop-source", "forged"],
    ["x-outerloop-variant", "forged"],
    # This would be a reason to try another agent, were it Envoy's word.
    ["x-outerloop-error", "upstream_unreachable"],
    ["x-outerloop-more", "forged"],
]


@pytest.mark.parametrize(
    ("model", "agent"), [("plain", "plain"), ("alive", "alive"), ("down", "taker")]
)
@pytest.mark.parametrize("status", [200, 503])
def test_an_agent_cannot_forge_who_it_is(
    ask: Ask, received: Received, model: str, agent: str, status: int
) -> None:
    answer = ask(model, x_test_headers=json.dumps(FORGED), x_test_status=str(status))
    assert served(answer) == (status, [agent], [model])
    assert {name for name in answer.headers if name.startswith("x-")} == FULL
    assert "forged" not in str(answer.headers)
    assert len(received(answer)) == 1


@pytest.mark.parametrize("target", ["takeover.taker", "hop.down", "agent/taker"])
@pytest.mark.parametrize("name", ["x-outerloop-target", "X-Outerloop-Target", "x_outerloop_target"])
def test_a_client_cannot_choose_a_target(
    http: httpx.Client, stack: Stack, received: Received, target: str, name: str
) -> None:
    headers = {"host": target.replace("/", "."), name: target, "x-outerloop-agent": "taker"}
    for listener in ("main", "narrow"):
        answer = http.post(
            stack.listeners[listener] + CHAT, content=body_for("alive"), headers=headers
        )
        assert served(answer) == (200, ["alive"], ["alive"])
        [got] = received(answer)
        assert (got.agent, got.body) == ("weather_agent", body_for("alive"))
        assert not [each for each, value in got.headers if "target" in each]
        # An agent that nobody offers here is none that can be asked for.
        answer = http.post(
            stack.listeners[listener] + CHAT, content=body_for("taker"), headers=headers
        )
        assert answer.headers["x-outerloop-agent"] in ("alive", "plain")
        answer = http.post(stack.listeners[listener] + "/v1/other", content=b"{}", headers=headers)
        assert answer.status_code == 404


def test_a_client_cannot_choose_a_target_over_http2(
    http2: Callable[..., Answer], stack: Stack
) -> None:
    pseudo = [(":method", "POST"), (":path", CHAT), (":scheme", "http")]
    target = "takeover.taker"
    fields = [*pseudo, (":authority", target), ("x-outerloop-target", target)]
    answer = http2(stack.port, fields, body_for("alive"))
    assert (answer.status, answer.all("x-outerloop-agent")) == (200, ["alive"])


@pytest.mark.parametrize("model", ["plain", "alive", "down_plain", "down"])
def test_trailers_pass_to_and_fro(
    http2: Callable[..., Answer], http1: Callable[..., Answer], stack: Stack, model: str
) -> None:
    pseudo = [(":method", "POST"), (":path", CHAT), (":scheme", "http"), (":authority", "x")]
    wish = json.dumps({"x-check": "sum", "x-outerloop-agent": "forged"})
    fields = [*pseudo, ("x-test-trailers", wish)]
    answer = http2(stack.port, fields, body_for(model), [("x-last", "1")])
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.trailers == [("x-check", "sum")]
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-test-trailers: {wish}\r\n"
    body = body_for(model)
    answer = http1(stack.port, f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    assert b"x-check: sum\r\n" in answer.body


def test_the_loop_is_counted_once(ask: Ask, received: Received, refused: Refused) -> None:
    # One more and it would be refused: also where the processor is asked for the taker's model.
    for model in ("down", "down_plain"):
        [got] = received(ask(model, outerloop_hops="7"))
        assert got.all("outerloop-hops") == ["8"]
    refused(ask("down", outerloop_hops="8"), CHAT, 508, "loop_detected")


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_its_model_makes_too_large_is_refused(
    ask: Ask, refused: Refused, path: str
) -> None:
    refused(ask(path=path, body=body_for("down").ljust(LIMIT)), path, 413, "request_too_large")


CHECKED: Final = """
version: v1
agents:
  - {{id: a, url: "http://127.0.0.1:1", fallback: b}}
  - {{id: b, url: "http://127.0.0.1:2", fallback: c}}
  - {{id: c, url: "http://127.0.0.1:3"}}
filters: [{{id: guard, type: builtin, use: limits, options: {{max_chars: 9}}}}]
listeners: [{{name: main, port: 0, {}}}]
"""


@pytest.mark.parametrize(
    ("listener", "passed_round"),
    [
        ("agents: [{id: a}, {id: b, input_filters: [guard]}]", "b would pass round guard"),
        ("agents: [{id: a}, {id: b, output_filters: [guard]}]", "b would pass round guard"),
        ("agents: [{id: a, input_filters: [guard]}, {id: b, input_filters: [guard]}]", ""),
        ("agents: [{id: a, input_filters: [guard]}, {id: b}]", ""),
        ("agents: [{id: a}, {id: b}, {id: c, input_filters: [guard]}]", "c would pass round guard"),
        ("agents: [{id: a}, {id: c, input_filters: [guard]}]", "c would pass round guard"),
        (
            "rules: [{agents: [b]}], agents: [{id: c, input_filters: [guard]}]",
            "c would pass round guard",
        ),
    ],
)
def test_nobody_takes_over_round_a_filter(tmp_path: Path, listener: str, passed_round: str) -> None:
    file = tmp_path / "outerloop.yaml"
    file.write_text(CHECKED.format(listener))
    check = subprocess.run(
        [OUTERLOOP, "check", "-c", str(file)], capture_output=True, text=True, check=False
    )
    told = check.stdout + check.stderr
    assert (check.returncode, passed_round in told) == (bool(passed_round), True), told
