"""An embeddings server whose failures are scripted: `python fake_embeddings.py`. Prints its port.

A text's vector is the sum of its words', which follow from their letters. `POST /v1/embeddings`,
under any prefix, behaves as `POST /mode` last said by a JSON object:

    mode        one of MODES
    seconds     how long `slow` takes before it answers

`GET /requests` returns what came so far (path, headers, and the JSON of the body),
`DELETE /requests` forgets it.
"""

from __future__ import annotations

import asyncio
import base64
import random
import re
import struct
import sys
from collections.abc import Callable
from typing import Any

from aiohttp import web

DIMENSIONS = 256
Vector = list[float]


def vector(text: str) -> Vector:
    total = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        chance = random.Random(word[:5])
        total = [value + chance.gauss(0, 1) for value in total]
    return total


def answer(vectors: list[Any]) -> dict[str, Any]:
    data = [
        {"object": "embedding", "index": index, "embedding": each}
        for index, each in enumerate(vectors)
    ]
    return {"object": "list", "data": data[::-1], "model": "fake"}


def in_base64(each: Vector) -> str:
    return base64.b64encode(struct.pack(f"<{len(each)}f", *each)).decode()


MODES: dict[str, Callable[[list[Vector]], Any]] = {
    "ok": answer,
    "slow": answer,
    "base64": lambda vectors: answer([in_base64(each) for each in vectors]),
    "fewer dimensions": lambda vectors: answer([each[:-1] for each in vectors]),
    "mixed dimensions": lambda vectors: answer([each[i:] for i, each in enumerate(vectors, 1)]),
    "not a number": lambda vectors: answer([[float("nan"), *each[1:]] for each in vectors]),
    "too few": lambda vectors: answer(vectors[1:]),
    "html": lambda _: None,
    "500": lambda _: None,
    "abort": lambda _: None,
}


class FakeEmbeddings:
    def __init__(self) -> None:
        self.mode = "ok"
        self.seconds = 60.0
        self.seen: list[dict[str, Any]] = []

    async def embed(self, request: web.Request) -> web.Response:
        body = await request.json()
        headers = [[name.lower(), value] for name, value in request.headers.items()]
        self.seen.append({"path": request.raw_path, "headers": headers, "body": body})
        if self.mode == "slow":
            await asyncio.sleep(self.seconds)
        if self.mode == "abort":
            assert request.transport is not None
            request.transport.abort()
        if self.mode == "html":
            return web.Response(text="<html>", content_type="text/html")
        made = MODES[self.mode]([vector(text) for text in body["input"]])
        return web.json_response(made, status=500 if self.mode == "500" else 200)

    async def set_mode(self, request: web.Request) -> web.Response:
        options = await request.json()
        assert options["mode"] in MODES
        self.mode = options["mode"]
        self.seconds = options.get("seconds", 60.0)
        return web.Response()

    async def requests(self, _request: web.Request) -> web.Response:
        return web.json_response(self.seen)

    async def forget(self, _request: web.Request) -> web.Response:
        self.seen.clear()
        return web.Response()


async def main() -> None:
    server = FakeEmbeddings()
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/mode", server.set_mode)
    app.router.add_get("/requests", server.requests)
    app.router.add_delete("/requests", server.forget)
    app.router.add_post("/{prefix:.*}v1/embeddings", server.embed)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
