"""A model server whose failures are scripted: `python fake_model.py`. Prints its port.

`POST /v1/chat/completions`, under any prefix, behaves as `POST /mode` last said by a JSON object:

    mode        one of MODES, or `random`: half of the calls `ok`, the others any of them by chance
    seed        of the chance
    seconds     how long `slow` takes before it answers
    table       keyword to route: `ok` answers with the routes whose keywords stand in the last user
                message, in the order in which they stand there
    content     what `ok` answers instead

`GET /requests` returns what came so far (headers, path and body as they were), `DELETE /requests`
forgets it.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

USER_MESSAGE = re.compile(r'"role": "user",\s*"content": ("(?:[^"\\]|\\.)*")')
Handler = Callable[["FakeModel", web.Request, str], Awaitable[web.StreamResponse]]


def completion(content: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message}]}


def of_status(status: int) -> Handler:
    async def answer(_model: FakeModel, _request: web.Request, _content: str) -> web.Response:
        return web.json_response({"error": {"message": "scripted"}}, status=status)

    return answer


def of_json(make: Callable[[str], Any]) -> Handler:
    async def answer(_model: FakeModel, _request: web.Request, content: str) -> web.Response:
        return web.json_response(make(content))

    return answer


async def slow(model: FakeModel, _request: web.Request, content: str) -> web.Response:
    await asyncio.sleep(model.seconds)
    return web.json_response(completion(content))


async def html(_model: FakeModel, _request: web.Request, _content: str) -> web.Response:
    return web.Response(text="<html><h1>It works!</h1></html>", content_type="text/html")


async def truncated(_model: FakeModel, _request: web.Request, content: str) -> web.Response:
    body = json.dumps(completion(content))
    return web.Response(text=body[: len(body) * 2 // 3], content_type="application/json")


async def endless(_model: FakeModel, request: web.Request, _content: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    while True:
        await response.write(b'data: {"choices": [{"delta": {"content": "and so on "}}]}\n\n')
        await asyncio.sleep(0.01)


async def abort(_model: FakeModel, request: web.Request, _content: str) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def no_schema(_model: FakeModel, request: web.Request, content: str) -> web.Response:
    if "response_format" in await request.json():
        error = {"message": "response_format: json_schema is not supported", "code": 400}
        return web.json_response({"error": error}, status=400)
    return web.json_response(completion(content))


MODES: dict[str, Handler] = {
    "ok": of_json(completion),
    "slow": slow,
    "500": of_status(500),
    "429": of_status(429),
    "html": html,
    "truncated": truncated,
    "no_choices": of_json(lambda _: {"choices": []}),
    "empty": of_json(lambda _: completion("")),
    "wrong_shape": of_json(lambda content: completion(json.dumps({"decision": content}))),
    "prose": of_json(lambda _: completion("I would be glad to help you with that!")),
    "endless": endless,
    "abort": abort,
    "no_schema": no_schema,
}


class FakeModel:
    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.script({"mode": "ok"})

    def script(self, options: dict[str, Any]) -> None:
        self.mode: str = options["mode"]
        assert self.mode in {*MODES, "random"}
        self.chance = random.Random(options.get("seed"))
        self.seconds: float = options.get("seconds", 60)
        self.table: dict[str, str] = options.get("table", {})
        self.content: str | None = options.get("content")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        headers = [[name.lower(), value] for name, value in request.headers.items()]
        self.seen.append({"path": request.raw_path, "headers": headers, "body": text})
        return await MODES[self.next_mode()](self, request, self.content or self.route(text))

    def next_mode(self) -> str:
        if self.mode != "random":
            return self.mode
        return "ok" if self.chance.random() < 0.5 else self.chance.choice(sorted(MODES))

    def route(self, text: str) -> str:
        prompt = json.loads(text)["messages"][-1]["content"]
        question = json.loads(USER_MESSAGE.findall(prompt)[-1])
        places = {question.find(keyword): route for keyword, route in self.table.items()}
        return json.dumps({"route": [places[at] for at in sorted(places) if at >= 0]})

    async def set_mode(self, request: web.Request) -> web.Response:
        self.script(await request.json())
        return web.Response()

    async def requests(self, _request: web.Request) -> web.Response:
        return web.json_response(self.seen)

    async def forget(self, _request: web.Request) -> web.Response:
        self.seen.clear()
        return web.Response()


async def main() -> None:
    model = FakeModel()
    app = web.Application()
    app.router.add_post("/mode", model.set_mode)
    app.router.add_get("/requests", model.requests)
    app.router.add_delete("/requests", model.forget)
    app.router.add_post("/{prefix:.*}v1/chat/completions", model.answer)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
