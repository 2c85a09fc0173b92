"""Agents that are scripted request by request, and a stack whose rules name plans of them."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from aiohttp import web

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

CHAT: Final = "/v1/chat/completions"
MESSAGES: Final = "/v1/messages"
RESPONSES: Final = "/v1/responses"
DEADLINE: Final = 60.0
"""Seconds until a test gives up: far above what anything takes on a busy machine."""

NAMES: Final = ("a", "b", "c", "d", "hasty", "again")

Json = dict[str, Any]
Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Call:
    """One request as an agent got it; `cut` once its connection closed before the answer."""

    agent: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    began: float
    ended: float | None = None
    cut: bool = False

    @property
    def json(self) -> Json:
        return dict(json.loads(self.body))

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Role and content of each message; of `/v1/responses` where the input is a list."""
        said = self.json.get("messages") or self.json["input"]
        return [(each["role"], each["content"]) for each in said]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)


def whole(path: str, text: str) -> Json:
    """An answer of the API that is one object."""
    if path.startswith(MESSAGES):
        return {"type": "message", "role": "assistant", "content": [{"type": "text", "text": text}]}
    if path.startswith(RESPONSES):
        part = {"type": "output_text", "text": text, "annotations": []}
        item = {"type": "message", "role": "assistant", "content": [part]}
        return {"object": "response", "status": "completed", "output": [item]}
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"object": "chat.completion", "choices": [choice]}


def events(path: str, text: str) -> list[bytes]:
    """An answer of the API as a stream, two deltas of text among its events."""
    halves = text[: len(text) // 2], text[len(text) // 2 :]
    if path.startswith(MESSAGES):
        block: Json = {"type": "content_block_start", "content_block": {"type": "text", "text": ""}}
        deltas: list[Json] = [
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": half}}
            for half in halves
        ]
        named = [{"type": "message_start"}, block, *deltas, {"type": "message_stop"}]
    elif path.startswith(RESPONSES):
        deltas = [{"type": "response.output_text.delta", "delta": half} for half in halves]
        end = {"type": "response.completed", "response": whole(path, text)}
        named = [{"type": "response.created"}, *deltas, end]
    else:
        chunks: list[Json] = [
            {"choices": [{"index": 0, "delta": {"content": half}}]} for half in halves
        ]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        return [b"data: %s\n\n" % json.dumps(each).encode() for each in chunks] + [
            b"data: [DONE]\n\n"
        ]
    return [
        b"event: %s\ndata: %s\n\n" % (each["type"].encode(), json.dumps(each).encode())
        for each in named
    ]


class Agents:
    """HTTP agents, each on a port of its own, all on one event loop in a thread.

    An agent says `<name> says so` unless the request's `x-request-id` has a script for it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._ports: dict[int, str] = {}
        self._scripts: dict[tuple[str, str], list[Behaviour]] = {}
        self._calls: dict[str, list[Call]] = {}
        self._numbers = itertools.count(1)
        self._runner = self._run(self._start())
        self.urls = {name: f"http://127.0.0.1:{port}" for port, name in self._ports.items()}

    def stop(self) -> None:
        self._run(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def script(self, **behaviours: Behaviour | Sequence[Behaviour]) -> str:
        """Say how agents behave, each time anew if there are several; return the `x-request-id`.

        The last one of several stays.
        """
        request_id = f"scripted-{next(self._numbers)}"
        for agent, behaviour in behaviours.items():
            listed = [behaviour] if callable(behaviour) else list(behaviour)
            self._scripts[request_id, agent] = listed
        return request_id

    def calls(self, request_id: str) -> list[Call]:
        """What agents were sent so far, in the order it came."""
        return list(self._calls.get(request_id, ()))

    def wait(self, until: Callable[[], object]) -> None:
        """Wait until something is so."""
        end = time.monotonic() + DEADLINE
        while not until():
            assert time.monotonic() < end
            time.sleep(0.01)

    def event(self) -> asyncio.Event:
        return asyncio.Event()

    def set(self, event: asyncio.Event) -> None:
        self._loop.call_soon_threadsafe(event.set)

    # ---- Behaviours

    def answers(
        self, body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Behaviour:
        """Answer with bytes, or else with JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"content-type": "application/json", **(headers or {})}

        async def answer(_request: web.Request) -> web.Response:
            return web.Response(body=content, status=status, headers=fields)

        return answer

    def says(self, text: str, *, after: float = 0, until: asyncio.Event | None = None) -> Behaviour:
        """Answer with a text in the API of the request."""

        async def answer(request: web.Request) -> web.Response:
            await asyncio.sleep(after)
            if until is not None:
                await until.wait()
            return web.json_response(whole(request.path, text))

        return answer

    def zipped(self, text: str) -> Behaviour:
        """Answer gzipped, whatever the request accepts."""

        async def answer(request: web.Request) -> web.Response:
            body = gzip.compress(json.dumps(whole(request.path, text)).encode())
            headers = {"content-type": "application/json", "content-encoding": "gzip"}
            return web.Response(body=body, headers=headers)

        return answer

    def streams(self, text: str, *, until: asyncio.Event | None = None, cut: int = 0) -> Behaviour:
        """Answer with a stream. `until` is waited for after its first event.

        With `cut` it ends, as if it were whole, that many events too early.
        """

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"content-type": "text/event-stream"})
            await response.prepare(request)
            stream = events(request.path, text)
            for number, event in enumerate(stream[: len(stream) - cut]):
                if number == 1 and until is not None:
                    await until.wait()
                await response.write(event)
            return response

        return answer

    def bytes(self, *parts: bytes, reset: bool = False) -> Behaviour:
        """Write to the connection as it is, then close it."""

        async def answer(request: web.Request) -> web.Response:
            transport = request.transport
            assert transport is not None
            for part in parts:
                transport.write(part)
                await asyncio.sleep(0.01)
            transport.abort() if reset else transport.close()
            return web.Response()

        return answer

    async def hangs(self, _request: web.Request) -> web.Response:
        """Never answer."""
        await asyncio.Event().wait()
        raise AssertionError

    def floods(self, size: int) -> Behaviour:
        """Answer with a text that long."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"content-type": "application/json"})
            await response.prepare(request)
            head, _, tail = json.dumps(whole(request.path, "@")).partition("@")
            await response.write(head.encode())
            chunk = b"x" * 2**20
            for start in range(0, size, len(chunk)):
                await response.write(chunk[: size - start])
            await response.write(tail.encode())
            return response

        return answer

    # ---- The server

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE)

    async def _start(self) -> web.AppRunner:
        app = web.Application(client_max_size=256 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await runner.setup()
        for name in NAMES:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self._ports[runner.addresses[-1][1]] = name
        return runner

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        agent = self._ports[request.transport.get_extra_info("sockname")[1]]
        fields = [
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in request.raw_headers
        ]
        call = Call(agent, request.raw_path, fields, await request.read(), time.monotonic())
        request_id = call.header("x-request-id") or ""
        self._calls.setdefault(request_id, []).append(call)
        script = self._scripts.get((request_id, agent))
        behaviour = self.says(f"{agent} says so") if script is None else script[0]
        if script is not None and len(script) > 1:
            del script[0]
        try:
            return await behaviour(request)
        except asyncio.CancelledError:
            call.cut = True
            raise
        finally:
            call.ended = time.monotonic()


@pytest.fixture(scope="session")
def agents() -> Iterator[Agents]:
    agents = Agents()
    yield agents
    agents.stop()


PLANS: Final = (
    *("a,b", "b,a", "a,b,c", "c,a,b", "a,b,c,d", "a"),
    *("hasty,b", "a,hasty,b", "hasty,again,c", "dead,b", "a,dead,b", "again,b", "prefixed,api,b"),
    *("loop", "loop,b", "unoffered,b", "a,unoffered"),
)

YAML: Final = """
version: v1
agents:
  - {{id: a, url: {a}}}
  - {{id: b, url: {b}}}
  - {{id: c, url: {c}}}
  - {{id: d, url: {d}}}
  - {{id: hasty, url: {hasty}, timeout: 1s}}
  - {{id: again, url: {again}, retries: {{num_retries: 2, retry_on: [503, reset-before-request]}}}}
  - {{id: prefixed, url: {a}/some/base}}
  - {{id: api, url: {c}/api/v1}}
  - {{id: dead, url: "http://127.0.0.1:{dead}"}}
  - {{id: loop, url: "http://127.0.0.1:{port}", retries: {{num_retries: 0}}}}
  - {{id: unoffered, url: {d}}}
observability: {{response_headers: full}}
orchestrator: {{max_agents: 4}}
limits: {{{limits}}}
listeners:
"""

LISTENER: Final = """
  - name: {name}
    port: {port}
    decision_timeout: 2s
    {more}
    rules: [{rules}]
    agents:
      - {{id: a, description: Weather forecasts.}}
      - {{id: b, description: Flights.}}
      - {{id: c, description: Hotels.}}
"""

LISTENERS: Final = {
    "fail": "",
    "skip": "on_step_error: skip",
    "system": "insert: system",
    "parallel": "execution: parallel",
    "parallel_skip": "{execution: parallel, on_step_error: skip}",
}


def body_of(path: str, text: str = "do it all") -> Json:
    """A conversation of one user message."""
    if path.startswith(RESPONSES):
        return {"model": "any", "input": text}
    messages = [{"role": "user", "content": text}]
    return {"model": "any", "max_tokens": 9, "messages": messages}


@dataclass(frozen=True)
class Client:
    """Asks a stack for plans by the header `x-plan`."""

    stack: Stack
    http: httpx.Client

    def post(
        self,
        listener: str,
        plan: str,
        body: Any = None,
        *,
        path: str = CHAT,
        under: str,
        **more: Any,
    ) -> httpx.Response:
        fields = [("x-plan", plan), ("x-request-id", under), *more.pop("headers", ())]
        content = body if isinstance(body, bytes) else json.dumps(body or body_of(path)).encode()
        url = self.stack.listeners[listener] + path
        return self.http.post(url, content=content, headers=fields, **more)


Run = Callable[..., "Stack"]


@pytest.fixture(scope="session")
def plans_yaml(agents: Agents, free_ports: Callable[[int], list[int]]) -> Callable[..., str]:
    """Return a file with listeners that do as `LISTENERS` says; `limits` go into it."""

    def make(*names: str, limits: str = "") -> str:
        port, dead = free_ports(2)
        yaml = YAML.format(**agents.urls, port=port, dead=dead, limits=limits)
        rules = ", ".join(
            f"{{when: {{headers: {{x-plan: '{plan}'}}}}, agents: [{plan}]}}" for plan in PLANS
        )
        for index, name in enumerate(names):
            more = LISTENERS[name].strip("{}").replace(", ", "\n    ")
            at = port if index == 0 else 0
            yaml += LISTENER.format(name=name, port=at, more=more, rules=rules)
        return yaml

    return make


@pytest.fixture(scope="session")
def plans(plans_yaml: Callable[..., str], session_stack: Callable[..., Stack]) -> Iterator[Client]:
    """One stack for all tests of plans; it listens once for each entry of `LISTENERS`."""
    stack = session_stack(plans_yaml(*LISTENERS))
    with httpx.Client(timeout=DEADLINE, verify=False) as http:
        yield Client(stack, http)
