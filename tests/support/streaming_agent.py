"""An agent of chat completions that says what the last user said: `python streaming_agent.py`.

Prints its port. Streamed, each word is an event; after the word `wait` it waits for `POST /go`.
Not streamed, words of the text change the answer: `gzip`, `brotli` (in name only), `text`
(as content type), `flood` (200 KiB), `status:429`. What assistants said before stands first.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from typing import Any

from aiohttp import web

go = asyncio.Event()


def delta(word: str) -> bytes:
    chunk = {"choices": [{"index": 0, "delta": {"content": word}}]}
    return b"data: %s\n\n" % json.dumps(chunk).encode()


async def stream(request: web.Request, text: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for word in text.split():
        await response.write(delta(word.replace("_", " ")))
        if word == "wait":
            await go.wait()
    await response.write(b"data: [DONE]\n\n")
    return response


async def answer(request: web.Request) -> web.StreamResponse:
    body: dict[str, Any] = json.loads(await request.read())
    text = " ".join(message["content"] for message in body["messages"])
    if body.get("stream"):
        return await stream(request, text)
    said = text + " " * (200 * 2**10) if "flood" in text else text
    message = {"role": "assistant", "content": said}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    content = json.dumps({"choices": [choice]}).encode()
    headers = {"content-type": "application/json", "etag": '"x"'}
    status = 200
    for word in text.split():
        match word.partition(":"):
            case ("gzip", _, _):
                content, headers["content-encoding"] = gzip.compress(content), "gzip"
            case ("brotli", _, _):
                headers["content-encoding"] = "br"
            case ("text", _, _):
                headers["content-type"] = "text/plain"
            case ("status", _, number):
                status = int(number)
    return web.Response(body=content, headers=headers, status=status)


async def proceed(_request: web.Request) -> web.Response:
    go.set()
    return web.Response()


async def main() -> None:
    app = web.Application()
    app.router.add_post("/go", proceed)
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
