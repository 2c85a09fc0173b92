"""An agent that says what the last user said, in all three APIs: `python streaming_agent.py`.

Prints its port. Streamed, each word is an event; after the word `wait` it waits for `POST /go`, at
the word `abort` it breaks off.
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


def delta(path: str, word: str) -> bytes:
    if path == "/v1/messages":
        block = {"type": "text_delta", "text": word}
        event = {"type": "content_block_delta", "index": 0, "delta": block}
    elif path == "/v1/responses":
        place = {"item_id": "i", "output_index": 0, "content_index": 0}
        event = {"type": "response.output_text.delta", **place, "delta": word}
    else:
        chunk = {"choices": [{"index": 0, "delta": {"content": word}}]}
        return b"data: %s\n\n" % json.dumps(chunk).encode()
    return b"event: %s\ndata: %s\n\n" % (str(event["type"]).encode(), json.dumps(event).encode())


def text_of(body: dict[str, Any]) -> str:
    if "input" in body:
        return str(body["input"])
    return " ".join(message["content"] for message in body["messages"])


async def stream(request: web.Request, text: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for word in text.split():
        if word == "abort":
            assert request.transport is not None
            request.transport.abort()
            return response
        await response.write(delta(request.path, word.replace("_", " ")))
        if word == "wait":
            await go.wait()
            go.clear()
    if request.path == "/v1/chat/completions":
        await response.write(b"data: [DONE]\n\n")
    return response


async def answer(request: web.Request) -> web.StreamResponse:
    body: dict[str, Any] = json.loads(await request.read())
    text = text_of(body)
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
    app.router.add_post("/v1/{api:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
