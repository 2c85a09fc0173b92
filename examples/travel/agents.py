"""Three sample agents of a travel agency: weather, flights and hotels.

Each is an HTTP service of its own that speaks the chat completions, messages and responses APIs,
streaming and not. Answers are made up from the conversation alone (the newest city in it, and what
other agents said before), so the same conversation always gets the same answer.

    python agents.py --weather-port 10510 --flight-port 10520 --hotel-port 10530

prints `<agent> <url>` for each agent once it accepts connections, and runs until SIGINT or SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web

Json = dict[str, Any]

_NAME = r"[A-Z][\w'-]+(?: [A-Z][\w'-]+)*"
_KNOWN = r"(?i:amsterdam|barcelona|berlin|lisbon|london|madrid|new york|oslo|paris|rome|tokyo)\b"
_CITY = re.compile(
    rf"\b[Ff]rom (?:{_NAME}|{_KNOWN})"  # where a journey begins is not what is asked about
    rf"|\b(?:in|to|for|at|near) (?P<named>{_NAME})|\b(?P<known>{_KNOWN})"
)
_FORECAST = re.compile(r"Weather in [^:]+: ([\w ]+ °C) today")
_DEPARTURE = re.compile(r"Flights to [^:]+: .*? at (\d\d:\d\d)")

_CREATED = 1_767_225_600
"""A fixed time, so that answers are the same byte for byte."""

_MAX_BODY_BYTES = 64 * 2**20
"""Above what the gateway lets through by default: its limit should be the one that acts."""

_dumps = partial(json.dumps, ensure_ascii=False)


# ---- What the agents say


def _pick(seed: str, choices: int) -> int:
    """Return a number below `choices` that depends on `seed` alone."""
    return zlib.crc32(seed.encode()) % choices


def _city(texts: list[str]) -> str | None:
    """Return the city of the newest text that names one."""
    for text in reversed(texts):
        for match in _CITY.finditer(text):
            if city := match["named"] or match["known"]:
                return str(city).title()
    return None


def _last_match(pattern: re.Pattern[str], texts: list[str]) -> str | None:
    """Return the newest text in the group of `pattern`."""
    return next((match[1] for text in reversed(texts) if (match := pattern.search(text))), None)


def weather(city: str, _texts: list[str]) -> str:
    """Answer as the weather agent."""
    sky = ("clear skies", "light rain", "heavy showers", "snow", "fog")[_pick(city, 5)]
    degrees = 2 + _pick(f"{city} degrees", 24)
    return f"Weather in {city}: {sky} and {degrees} °C today, {degrees + 2} °C tomorrow."


def flights(city: str, texts: list[str]) -> str:
    """Answer as the flight agent, with the forecast if it was told before."""
    code, hour, price = city[:2].upper(), 6 + _pick(city, 6), 80 + _pick(f"{city} fare", 300)
    answer = (
        f"Flights to {city}: {code} 412 at {hour:02}:40 for {price} EUR, "
        f"{code} 518 at {hour + 9:02}:05 for {price - 20} EUR."
    )
    forecast = _last_match(_FORECAST, texts)
    return f"{answer} Pack for {forecast}." if forecast else answer


def hotels(city: str, texts: list[str]) -> str:
    """Answer as the hotel agent, with the departure if flights were told before."""
    price = 70 + _pick(f"{city} night", 120)
    answer = f"Hotels in {city}: Harbour Inn for {price} EUR a night, Grand {city} for {price * 2}."
    departure = _last_match(_DEPARTURE, texts)
    return f"{answer} Late check-in suits your {departure} flight." if departure else answer


@dataclass(frozen=True, slots=True)
class Agent:
    """One of the agents: its id, and its answer to a city and the texts of a conversation."""

    id: str
    answer: Callable[[str, list[str]], str]


# ---- How the three APIs carry it


@dataclass(frozen=True, slots=True)
class Reply:
    """An agent's answer; a token is a word."""

    agent: str
    text: str
    prompt_tokens: int

    @property
    def deltas(self) -> list[str]:
        """The text as it is streamed, word by word."""
        return re.findall(r"\S+\s*", self.text)

    @property
    def id(self) -> str:
        """The same for the same answer."""
        return f"{zlib.crc32(self.text.encode()):08x}"


def _chat_usage(reply: Reply) -> Json:
    completion = len(reply.deltas)
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": reply.prompt_tokens + completion,
    }


def _chat(reply: Reply, kind: str, choice: Json) -> Json:
    return {
        "id": f"chatcmpl-{reply.id}",
        "object": kind,
        "created": _CREATED,
        "model": reply.agent,
        "choices": [{"index": 0, "finish_reason": None, **choice}],
    }


def chat_whole(reply: Reply) -> Json:
    """Return a chat completion."""
    message = {"role": "assistant", "content": reply.text}
    choice = {"message": message, "finish_reason": "stop"}
    return {**_chat(reply, "chat.completion", choice), "usage": _chat_usage(reply)}


def chat_events(reply: Reply) -> Iterator[Json]:
    """Yield the chunks of a chat completion; the last one carries the usage."""
    chunk = partial(_chat, reply, "chat.completion.chunk")
    yield chunk({"delta": {"role": "assistant", "content": ""}})
    for delta in reply.deltas:
        yield chunk({"delta": {"content": delta}})
    yield {**chunk({"delta": {}, "finish_reason": "stop"}), "usage": _chat_usage(reply)}


def messages_whole(reply: Reply) -> Json:
    """Return a message of the messages API."""
    return {
        "id": f"msg_{reply.id}",
        "type": "message",
        "role": "assistant",
        "model": reply.agent,
        "content": [{"type": "text", "text": reply.text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": reply.prompt_tokens, "output_tokens": len(reply.deltas)},
    }


def messages_events(reply: Reply) -> Iterator[Json]:
    """Yield the events of a message."""
    start = {**messages_whole(reply), "content": [], "stop_reason": None}
    start["usage"] = {**start["usage"], "output_tokens": 0}
    yield {"type": "message_start", "message": start}
    text = {"type": "text", "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": text}
    for delta in reply.deltas:
        text_delta = {"type": "text_delta", "text": delta}
        yield {"type": "content_block_delta", "index": 0, "delta": text_delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": len(reply.deltas)},
    }
    yield {"type": "message_stop"}


def _output_part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": []}


def _output_item(reply: Reply, status: str, parts: list[Json]) -> Json:
    return {
        "id": f"msg_{reply.id}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": parts,
    }


def _response(reply: Reply, status: str, output: list[Json]) -> Json:
    return {
        "id": f"resp_{reply.id}",
        "object": "response",
        "created_at": _CREATED,
        "model": reply.agent,
        "status": status,
        "output": output,
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
    }


def responses_whole(reply: Reply) -> Json:
    """Return a finished response of the responses API."""
    item = _output_item(reply, "completed", [_output_part(reply.text)])
    completion = len(reply.deltas)
    usage = {
        "input_tokens": reply.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": reply.prompt_tokens + completion,
    }
    return {**_response(reply, "completed", [item]), "usage": usage}


def responses_events(reply: Reply) -> Iterator[Json]:
    """Yield the events of a response, numbered."""
    for number, event in enumerate(_responses_events(reply)):
        yield {**event, "sequence_number": number}


def _responses_events(reply: Reply) -> Iterator[Json]:
    begun = _response(reply, "in_progress", [])
    item = {"output_index": 0, "item_id": f"msg_{reply.id}"}
    part = {**item, "content_index": 0}
    finished_part = _output_part(reply.text)
    finished_item = _output_item(reply, "completed", [finished_part])
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    yield {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": _output_item(reply, "in_progress", []),
    }
    yield {"type": "response.content_part.added", **part, "part": _output_part("")}
    for delta in reply.deltas:
        yield {"type": "response.output_text.delta", **part, "delta": delta, "logprobs": []}
    yield {"type": "response.output_text.done", **part, "text": reply.text, "logprobs": []}
    yield {"type": "response.content_part.done", **part, "part": finished_part}
    yield {"type": "response.output_item.done", "output_index": 0, "item": finished_item}
    yield {"type": "response.completed", "response": responses_whole(reply)}


@dataclass(frozen=True, slots=True)
class Api:
    """One API: its path, the member with the conversation, and its two forms of an answer."""

    path: str
    member: str
    whole: Callable[[Reply], Json]
    events: Callable[[Reply], Iterator[Json]]
    end_of_stream: bytes = b""

    def error(self, message: str) -> Json:
        """Return the body of a 400."""
        error: Json = {"type": "invalid_request_error", "message": message}
        if self.path == "/v1/messages":
            return {"type": "error", "error": error}
        return {"error": {**error, "code": "invalid_request", "param": None}}


APIS = (
    Api("/v1/chat/completions", "messages", chat_whole, chat_events, b"data: [DONE]\n\n"),
    Api("/v1/messages", "messages", messages_whole, messages_events),
    Api("/v1/responses", "input", responses_whole, responses_events),
)


# ---- The services


def _text(content: object) -> str:
    """Join the text parts of a message's content."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def read(body: bytes, member: str) -> tuple[list[str], bool]:
    """Return the texts of a conversation, oldest first, and whether to stream the answer.

    Raises ValueError, with a text for the client, when `body` is no request of the API.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON") from None
    entries = document.get(member) if isinstance(document, dict) else None
    if isinstance(entries, str):
        entries = [{"content": entries}]
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{member} must be a list of messages")
    if not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"an entry of {member} is not an object")
    return [_text(entry.get("content")) for entry in entries], document.get("stream") is True


def _frame(event: Json) -> bytes:
    """Encode a server-sent event; its `type`, where the API has one, is the event's name too."""
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {_dumps(event)}\n\n".encode()


async def _stream(request: web.Request, api: Api, reply: Reply, delay: float) -> web.StreamResponse:
    headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    for event in api.events(reply):
        await response.write(_frame(event))
        await asyncio.sleep(delay)
    await response.write(api.end_of_stream)
    return response


async def _handle(agent: Agent, api: Api, delay: float, request: web.Request) -> web.StreamResponse:
    try:
        texts, stream = read(await request.read(), api.member)
    except ValueError as error:
        return web.json_response(api.error(str(error)), status=400)
    city = _city(texts)
    text = agent.answer(city, texts) if city else "Which city do you mean?"
    reply = Reply(agent.id, text, sum(len(text.split()) for text in texts))
    if stream:
        return await _stream(request, api, reply, delay)
    return web.json_response(api.whole(reply), dumps=_dumps)


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def application(agent: Agent, delay: float) -> web.Application:
    """Build the service of one agent; `delay` is the pause after each streamed event, in s."""
    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    app.router.add_get("/healthz", _healthz)
    for api in APIS:
        app.router.add_post(api.path, partial(_handle, agent, api, delay))
    return app


async def serve(host: str, ports: dict[Agent, int], delay: float) -> None:
    """Run the agents until SIGINT or SIGTERM; streams get two seconds to end."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        for agent, port in ports.items():
            runner = web.AppRunner(
                application(agent, delay),
                access_log=None,
                handler_cancellation=True,  # a client that hangs up is no error
                shutdown_timeout=2.0,
            )
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, host, port).start()
            print(f"{agent.id} http://{host}:{runner.addresses[0][1]}", flush=True)
        await stop.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="Sample agents of a travel agency.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--weather-port", type=int, default=10510, help="0: any free one")
    parser.add_argument("--flight-port", type=int, default=10520)
    parser.add_argument("--hotel-port", type=int, default=10530)
    parser.add_argument("--delay", type=float, default=0.03, help="seconds after a streamed event")
    options = parser.parse_args()
    ports = {
        Agent("weather_agent", weather): options.weather_port,
        Agent("flight_agent", flights): options.flight_port,
        Agent("hotel_agent", hotels): options.hotel_port,
    }
    try:
        asyncio.run(serve(options.host, ports, options.delay))
    except OSError as error:
        sys.exit(f"cannot listen: {error.strerror}")


if __name__ == "__main__":
    main()
