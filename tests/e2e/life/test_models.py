"""Models as agents: their name in the body, their keys and headers, and who sees them."""

from __future__ import annotations

import base64
import itertools
import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anthropic
import httpx
import openai
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Seen, Stack

CHAT: Final = "/v1/chat/completions"
MESSAGES: Final = "/v1/messages"
RESPONSES: Final = "/v1/responses"
PATHS: Final = [CHAT, MESSAGES, RESPONSES]
OUTERLOOP: Final = str(Path(sys.executable).parent / "outerloop")
DEADLINE: Final = 60.0
MODEL: Final = "gpt-4o-mini"
KEY, TEAM, OTHER_KEY, SDK_KEY = "sk-first-secret", "red-secret", "sk-second-secret", "sk-sdk-secret"
ENV: Final = {"MODEL_KEY": KEY, "TEAM": TEAM, "OTHER_KEY": OTHER_KEY, "SDK_KEY": SDK_KEY}
YAML = """
version: v1
agents:
  - {{id: model, url: "{weather}/openai/v1", model: {model}, access_key: $MODEL_KEY,
      headers: {{x-team: $TEAM}}}}
  - {{id: keyed, url: "{weather}", access_key: $OTHER_KEY, forward_authorization: true}}
  - {{id: closed, url: "{weather}", forward_authorization: false}}
  - {{id: open, url: "{weather}", headers: {{authorization: Own word}}}}
  - {{id: plain, url: "{hotel}"}}
  - {{id: copied, url: "{weather}", model: {model}, access_key: $MODEL_KEY,
      headers: {{x-team: $TEAM}}, mirror: {{url: "{flight}"}}}}
  - {{id: long, url: "{weather}", model: {long}}}
  - {{id: provider, url: "{provider}/v1", model: {model}, access_key: $SDK_KEY}}
  # Names that would meet, were a key named by agent and header with the same hyphen.
  - {{id: a, url: "{weather}", headers: {{bearer: harmless, x-key: harmless}}}}
  - {{id: a-header, url: "{weather}", access_key: $MODEL_KEY}}
  - {{id: a-header-x, url: "{weather}", access_key: $MODEL_KEY}}
listeners:
  - name: main
    port: 0
    rules:
      - {{when: {{headers: {{x-plan: model}}}}, agents: [model]}}
      - {{when: {{headers: {{x-plan: model-last}}}}, agents: [plain, model]}}
      - {{when: {{headers: {{x-plan: model-first}}}}, agents: [model, plain]}}
      - {{when: {{headers: {{x-plan: keyed-first}}}}, agents: [keyed, plain]}}
      - {{when: {{headers: {{x-plan: closed-first}}}}, agents: [closed, plain]}}
      - {{when: {{headers: {{x-plan: copied-first}}}}, agents: [copied, plain]}}
    agents: [{{id: model}}, {{id: keyed}}, {{id: closed}}, {{id: open}}, {{id: plain}},
             {{id: copied}}, {{id: long}}, {{id: provider}}, {{id: a}}, {{id: a-header}},
             {{id: a-header-x}}]
limits: {{max_request_bytes: 64KiB}}
"""
SAID: Final[dict[str, dict[str, Any]]] = {
    CHAT: {"choices": [{"message": {"role": "assistant", "content": "said"}}]},
    MESSAGES: {"content": [{"type": "text", "text": "said"}]},
    RESPONSES: {
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "said"}]}]
    },
}
BODY: Final = (
    b'{ "a": 1.0,\r\n "\\u006d": [1E5, {"model": "inner"}], %s, "model" :  "%s" ,'
    b'"z":12345678901234567890, "t":"\xc3\xa9\\u00e9" } '
)
CONVERSATION: Final = {
    CHAT: b'"messages":[{"role":"user","content":"hello"}]',
    MESSAGES: b'"messages":[{"role":"user","content":"hello"}]',
    RESPONSES: b'"input":[{"role":"user","content":"hello"}]',
}
CREDENTIALS: Final = {"authorization": "Bearer callers", "x-api-key": "callers"}


class Provider(BaseHTTPRequestHandler):
    """A model's server as they are: it turns away who has not the key, streams when asked to."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        keys = self.headers.get_all("authorization"), self.headers.get_all("x-api-key")
        ours = (None, [SDK_KEY]) if self.path == MESSAGES else ([f"Bearer {SDK_KEY}"], None)
        if keys != ours:
            self.answer(401, b'{"error": {"message": "not the key"}}')
        elif body.get("stream"):
            events = "".join(
                f"event: {each.get('type')}\ndata: {json.dumps(each)}\n\n"
                for each in (self.message_events if self.path == MESSAGES else self.chunks)(body)
            )
            self.answer(200, events.encode(), "text/event-stream")
        else:
            made = {
                "id": "1",
                "created": 1,
                "created_at": 1,
                "model": body["model"],
                **SAID[self.path],
            }
            kind = {CHAT: "chat.completion", RESPONSES: "response"}.get(self.path)
            self.answer(200, json.dumps({"object": kind, "type": "message", **made}).encode())

    def answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chunks(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for word in ("sa", "id"):
            choice = {"index": 0, "delta": {"content": word}}
            yield {
                "id": "1",
                "object": "chat.completion.chunk",
                "model": body["model"],
                "choices": [choice],
            }

    def message_events(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {
            "id": "1",
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": body["model"],
            "usage": usage,
        }
        yield {"type": "message_start", "message": message}
        block = {"type": "text", "text": ""}
        yield {"type": "content_block_start", "index": 0, "content_block": block}
        for word in ("sa", "id"):
            delta = {"type": "text_delta", "text": word}
            yield {"type": "content_block_delta", "index": 0, "delta": delta}
        yield {"type": "content_block_stop", "index": 0}
        yield {"type": "message_stop"}

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def yaml(echo_agents: dict[str, EchoAgent], provider: str) -> str:
    urls = {name.partition("_")[0]: agent.url for name, agent in echo_agents.items()}
    return YAML.format(**urls, provider=provider, model=MODEL, long="g" * 200)


@pytest.fixture(scope="module")
def stack(run_module_stack: Callable[..., Stack], yaml: str) -> Stack:
    """Log as much as there is, so that what must not be in the log would be."""
    return run_module_stack(yaml, "--log-level", "debug", env=ENV)


class Asking:
    """Sends requests, and tells what agents got of them."""

    def __init__(self, http: httpx.Client, stack: Stack, agents: dict[str, EchoAgent]) -> None:
        self._http, self._stack, self._agents = http, stack, agents
        self._numbers = itertools.count()

    def __call__(
        self,
        path: str,
        model: str = "none",
        plan: str = "",
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> dict[str, Seen]:
        """Return what each agent was sent, by its host's name."""
        number = f"{time.monotonic_ns()}-{next(self._numbers)}"
        answered = {"x-test-body": json.dumps(json.dumps(SAID[path.partition("?")[0]]))}
        answer = self._http.post(
            self._stack.url + path,
            content=ask_body(path, model) if body is None else body,
            headers={
                "x-request-id": number,
                "x-plan": plan,
                **CREDENTIALS,
                **answered,
                **(headers or {}),
            },
        )
        assert answer.status_code == 200, answer.text
        return self.seen(number)

    def seen(self, number: str) -> dict[str, Seen]:
        return {
            seen.agent: seen
            for agent in self._agents.values()
            for seen in agent.requests()
            if seen.header("x-request-id") == number
        }


def ask_body(path: str, model: str) -> bytes:
    return BODY % (CONVERSATION[path.partition("?")[0]], model.encode())


@pytest.fixture
def ask(http: httpx.Client, stack: Stack, echo_agents: dict[str, EchoAgent]) -> Asking:
    return Asking(http, stack, echo_agents)


def credentials(seen: Seen) -> tuple[list[str], list[str]]:
    return seen.all("authorization"), seen.all("x-api-key")


@pytest.mark.parametrize("path", PATHS)
def test_the_model_alone_changes_in_a_body(ask: Asking, path: str) -> None:
    got = ask(path, "model")["weather_agent"]
    assert got.body == ask_body(path, MODEL)
    assert got.all("content-length") == [str(len(got.body))]
    # Its `/v1` is the base of the API, and not doubled.
    assert got.target == f"/openai{path}"


@pytest.mark.parametrize("path", PATHS)
def test_a_body_without_a_model_gets_it(ask: Asking, path: str) -> None:
    body = b"{%s}" % CONVERSATION[path]
    got = ask(path, plan="model", body=body)["weather_agent"]
    assert json.loads(got.body) == {**json.loads(body), "model": MODEL}
    assert got.all("content-length") == [str(len(got.body))]


@pytest.mark.parametrize("path", PATHS)
def test_the_last_of_a_plan_gets_its_model_beside_the_answers(ask: Asking, path: str) -> None:
    got = ask(path, plan="model-last")
    (before, after) = ask_body(path, MODEL).split(CONVERSATION[path])
    body = got["weather_agent"].body
    assert (body.startswith(before), body.endswith(after)) == (True, True)
    assert b"said" in body[len(before) : -len(after)]
    # The one before was asked with the client's own.
    assert json.loads(got["hotel_agent"].body)["model"] == "none"


@pytest.mark.parametrize("path", PATHS)
def test_an_earlier_one_of_a_plan_gets_its_model_alone(ask: Asking, path: str) -> None:
    got = ask(path, plan="model-first")
    earlier = got["weather_agent"]
    assert json.loads(earlier.body) == {**json.loads(ask_body(path, MODEL)), "stream": False}
    assert earlier.body.startswith(ask_body(path, MODEL).rstrip(b" }"))
    assert earlier.all("content-length") == [str(len(earlier.body))]
    assert earlier.target == f"/openai{path}"
    assert json.loads(got["hotel_agent"].body)["model"] == "none"


@pytest.mark.parametrize("plan", ["", "model-first", "model-last"])
@pytest.mark.parametrize("path", [*PATHS, f"{MESSAGES}?beta=true", f"{CHAT}?x={MESSAGES}"])
def test_the_key_takes_the_place_of_the_callers_credentials(
    ask: Asking, path: str, plan: str
) -> None:
    got = ask(path, "model", plan)["weather_agent"]
    anthropic_api = path.startswith(MESSAGES)
    assert credentials(got) == (([], [KEY]) if anthropic_api else ([f"Bearer {KEY}"], []))
    assert got.all("x-team") == [TEAM]


@pytest.mark.parametrize(
    ("agent", "path", "authorization", "x_api_key"),
    [
        ("plain", CHAT, "Bearer callers", "callers"),
        ("plain", MESSAGES, "Bearer callers", "callers"),
        ("closed", CHAT, None, None),
        ("closed", MESSAGES, None, None),
        ("keyed", CHAT, f"Bearer {OTHER_KEY}", "callers"),
        ("keyed", MESSAGES, "Bearer callers", OTHER_KEY),
        ("open", CHAT, "Own word", "callers"),
    ],
)
def test_the_callers_credentials_go_on_as_the_file_says(
    ask: Asking, agent: str, path: str, authorization: str | None, x_api_key: str | None
) -> None:
    wanted = [[each] if each else [] for each in (authorization, x_api_key)]
    [got] = ask(path, agent).values()
    assert list(credentials(got)) == wanted
    if agent in ("closed", "keyed"):
        as_a_step = ask(path, plan=f"{agent}-first")
        assert list(credentials(as_a_step["weather_agent"])) == wanted
        # What one does not get is not lost for the next.
        assert credentials(as_a_step["hotel_agent"]) == (["Bearer callers"], ["callers"])


def test_an_added_header_takes_the_place_of_the_callers(ask: Asking) -> None:
    assert ask(CHAT, "model", headers={"x-team": "mine"})["weather_agent"].all("x-team") == [TEAM]
    # And is for this agent alone.
    assert ask(CHAT, "plain", headers={"x-team": "mine"})["hotel_agent"].all("x-team") == ["mine"]
    both = ask(CHAT, plan="model-first", headers={"x-team": "mine"})
    assert [both[f"{each}_agent"].all("x-team") for each in ("weather", "hotel")] == [
        [TEAM],
        ["mine"],
    ]


@pytest.mark.parametrize("plan", ["", "copied-first"])
async def test_copies_get_neither_key_nor_headers(
    ask: Asking, eventually: Callable[..., Awaitable[None]], plan: str
) -> None:
    got = ask(CHAT, "copied", plan)["weather_agent"]
    assert credentials(got) == ([f"Bearer {KEY}"], [])
    number = got.header("x-request-id") or ""
    await eventually(lambda: "flight_agent" in ask.seen(number))
    copy = ask.seen(number)["flight_agent"]
    assert credentials(copy) == ([], [])
    assert not [each for each in copy.headers if {KEY, TEAM} & set(each[1].split())]
    assert copy.body == got.body


def test_no_agent_gets_the_key_of_another_by_its_name(ask: Asking) -> None:
    got = ask(CHAT, "a")["weather_agent"]
    assert (got.all("bearer"), got.all("x-key")) == (["harmless"], ["harmless"])
    assert credentials(ask(CHAT, "a-header")["weather_agent"]) == ([f"Bearer {KEY}"], [])


def test_a_body_that_its_model_makes_too_large_is_refused(
    http: httpx.Client, stack: Stack, refused: Callable[..., dict[str, Any]]
) -> None:
    body = b'{"model": "long", %s}' % CONVERSATION[CHAT]
    answer = http.post(stack.url + CHAT, content=body.ljust(2**16))
    refused(answer, CHAT, 413, "request_too_large")
    assert http.post(stack.url + CHAT, content=body.ljust(2**16 - 200)).status_code == 200
    # Envoy itself never had to cope with it.
    assert "envoy bug" not in stack.process.output


def test_the_openai_package(stack: Stack) -> None:
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key="users", max_retries=0) as client:
        question: Any = [{"role": "user", "content": "hello"}]
        completion = client.chat.completions.create(model="provider", messages=question)
        assert (completion.model, completion.choices[0].message.content) == (MODEL, "said")
        stream = client.chat.completions.create(model="provider", messages=question, stream=True)
        chunks = list(stream)
        assert {chunk.model for chunk in chunks} == {MODEL}
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "said"
        response = client.responses.create(model="provider", input="hello")
        assert (response.model, response.output_text) == (MODEL, "said")


def test_the_anthropic_package(stack: Stack) -> None:
    with anthropic.Anthropic(base_url=stack.url, api_key="users", max_retries=0) as client:
        question: Any = {
            "model": "provider",
            "max_tokens": 9,
            "messages": [{"role": "user", "content": "hello"}],
        }
        message = client.messages.create(**question)
        assert (message.model, message.content[0].text) == (MODEL, "said")
        with client.messages.stream(**question) as stream:
            assert "".join(stream.text_stream) == "said"
            assert stream.get_final_message().model == MODEL


def folder_of(stack: Stack) -> Path:
    """Return the private folder of a run, by the command line of its Envoy."""
    argv = Path(f"/proc/{stack.ready()['envoy']['pid']}/cmdline").read_text().split("\0")
    return Path(argv[argv.index("--config-path") + 1]).parent


def forms(secret: str) -> set[str]:
    """How a text may stand in another: as it is, or in base64 from any of three places on."""
    return {secret} | {
        base64.b64encode(b"." * shift + secret.encode()).decode()[4:-4] for shift in range(3)
    }


def test_keys_and_headers_are_shown_nowhere(
    ask: Asking, stack: Stack, yaml: str, tmp_path: Path
) -> None:
    for path in PATHS:
        ask(path, "model")
        ask(path, plan="model-first")
    transport = httpx.HTTPTransport(uds=str(folder_of(stack) / "envoy.sock"))
    with httpx.Client(transport=transport, base_url="http://envoy", timeout=DEADLINE) as envoy:
        dump = envoy.get("/config_dump?include_eds").text
        figures = [envoy.get(path).text for path in ("/stats", "/clusters", "/listeners", "/certs")]
    # What is looked for would be there.
    assert "agent-model-key" in dump
    file = tmp_path / "outerloop.yaml"
    file.write_text(yaml)
    render = [OUTERLOOP, "render", "-c", str(file), "--target", "bootstrap"]
    environment = {**os.environ, **ENV}
    rendered = subprocess.run(render, capture_output=True, text=True, check=True, env=environment)
    assert "/openai/v1" in rendered.stdout
    shown = [
        *(
            httpx.get(stack.admin + path, timeout=DEADLINE).text
            for path in ("/config", "/decisions", "/metrics", "/readyz")
        ),
        dump,
        *figures,
        rendered.stdout + rendered.stderr,
        stack.process.output,
    ]
    for secret in ENV.values():
        for form in forms(secret):
            assert [form in text for text in shown] == [False] * len(shown)
    assert not [text for text in shown if "callers" in text]


def test_secrets_are_in_files_that_nobody_else_can_read(stack: Stack) -> None:
    run = folder_of(stack)
    assert stat.S_IMODE(run.stat().st_mode) == stat.S_IMODE((run / "envoy").stat().st_mode) == 0o700
    files = list((run / "envoy").iterdir())
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    holding = {each.name for each in files if KEY.encode() in each.read_bytes()}
    assert "secret-agent-model-key.json" in holding
    assert all(name.startswith("secret-") for name in holding)


async def test_a_changed_key_is_in_force_without_a_failure(
    stack: Stack,
    yaml: str,
    ask: Asking,
    reload: Callable[[str], Awaitable[None]],
    eventually: Callable[..., Awaitable[None]],
) -> None:
    def is_sent(key: str, team: str) -> bool:
        # Fails where a request does.
        alone = ask(CHAT, "model")["weather_agent"]
        step = ask(MESSAGES, plan="model-first")["weather_agent"]
        sent = credentials(alone), credentials(step), alone.all("x-team"), step.all("x-team")
        return sent == (([f"Bearer {key}"], []), ([], [key]), [team], [team])

    key, team = "sk-third-secret", "blue-secret"
    try:
        await reload(yaml.replace("$MODEL_KEY", key).replace("$TEAM", team))
        await eventually(lambda: is_sent(key, team))
        assert all(is_sent(key, team) for _ in range(5))
        assert key not in stack.process.output
        # Without a key the caller's own goes on, and none is left behind.
        await reload(yaml.replace("access_key: $MODEL_KEY", "timeout: 60s"))
        assert credentials(ask(CHAT, "model")["weather_agent"]) == (["Bearer callers"], ["callers"])
        kept = folder_of(stack) / "envoy/secret-agent-model-key.json"
        await eventually(lambda: not kept.exists())
    finally:
        await reload(yaml)
    await eventually(lambda: is_sent(KEY, TEAM))
