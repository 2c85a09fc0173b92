"""An agent that tells what it was sent and does what its headers say.

    python echo_agent.py NAME [PORT]

Prints its port, any free one unless it was told one, when it listens. It answers every request with
the request as JSON, unless a header asks for something else:

    x-test-status: 429          status of the answer
    x-test-headers: JSON        headers of the answer, a list of pairs (they may repeat)
    x-test-body: JSON           body of the answer, a text
    x-test-sse: 5,0.2           that many events, that many seconds apart
    x-test-events: JSON         pieces of that stream in place of its own events, a list of texts;
                                [text, 9] is that text nine times in one piece
    x-test-usage: JSON          a value of `usage`, at the end of the answer
    x-test-delay: 1.5           seconds before the answer
    x-test-hold: now            wait for `POST /release/<x-request-id>` before the answer or, in a
                                stream, after the first event
    x-test-abort: now           break the connection without an answer or, in a stream, after the
                                first event
    x-test-trailers: JSON       trailers of a chunked answer, a mapping
    x-test-at: NAME,NAME        all this only at agents of these names; others answer as ever

`GET /requests` returns what came so far, `DELETE /requests` too and forgets it. `GET /running`
returns the x-request-id of each request that is being answered: one whose connection breaks is no
longer. `GET /healthz` answers 200, or the status last put by `PUT /healthz/STATUS`; it is no
request that came.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

LIMIT = 256 * 2**20


def break_off(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


class EchoAgent:
    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[dict[str, Any]] = []
        self.running: dict[str, asyncio.Event] = {}
        self.health = 200

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        record = {
            "agent": self.name,
            "method": request.method,
            "target": request.raw_path,
            "headers": [
                [k.decode("latin-1").lower(), v.decode("latin-1")] for k, v in request.raw_headers
            ],
            "body": base64.b64encode(body).decode(),
        }
        self.seen.append(record)
        request_id = request.headers.get("x-request-id", "")
        self.running[request_id] = asyncio.Event()
        try:
            if self.name not in request.headers.get("x-test-at", self.name).split(","):
                return web.json_response(record)
            return await self.answer(request, record)
        finally:
            # Gone already where the same request came twice at once.
            self.running.pop(request_id, None)

    async def hold(self, request: web.Request) -> None:
        if "x-test-hold" in request.headers:
            await self.running[request.headers["x-request-id"]].wait()

    async def answer(self, request: web.Request, record: dict[str, Any]) -> web.StreamResponse:
        wish = request.headers.get
        if "x-test-usage" in request.headers:
            record = record | {"usage": json.loads(request.headers["x-test-usage"])}
        await asyncio.sleep(float(wish("x-test-delay", "0")))
        headers = CIMultiDict(json.loads(wish("x-test-headers", "[]")))
        if "x-test-sse" in request.headers:
            return await self.events(request, headers)
        await self.hold(request)
        if "x-test-abort" in request.headers:
            return break_off(request)
        if "x-test-trailers" in request.headers:
            return await self.chunked(request, json.loads(request.headers["x-test-trailers"]))
        body = json.loads(wish("x-test-body", "null")) or json.dumps(record)
        headers.setdefault("content-type", "application/json")
        status = int(wish("x-test-status", "200"))
        return web.Response(body=body.encode(), status=status, headers=headers)

    async def events(self, request: web.Request, headers: CIMultiDict[str]) -> web.StreamResponse:
        count, pause = request.headers["x-test-sse"].split(",")
        response = web.StreamResponse(headers={"content-type": "text/event-stream", **headers})
        await response.prepare(request)
        for number in range(int(count)):
            if number == 1:
                await self.hold(request)
            if number == 1 and "x-test-abort" in request.headers:
                return break_off(request)
            if number:
                await asyncio.sleep(float(pause))
            await response.write(self.event(request, number))
        await response.write(b"data: [DONE]\n\n")
        return response

    def event(self, request: web.Request, number: int) -> bytes:
        if "x-test-events" in request.headers:
            piece = json.loads(request.headers["x-test-events"])[number]
            text, times = (piece, 1) if isinstance(piece, str) else piece
            return str(text * times).encode()
        event = json.dumps({"agent": self.name, "number": number, "sent": time.time()})
        return f"data: {event}\n\n".encode()

    async def chunked(self, request: web.Request, trailers: dict[str, str]) -> web.StreamResponse:
        """Write the answer by hand: aiohttp's server knows no trailers."""
        transport = request.transport
        assert transport is not None
        fields = "".join(f"{name}: {value}\r\n" for name, value in trailers.items())
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntrailer: {', '.join(trailers)}\r\n"
        chunks = "connection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
        transport.write(f"{head}{chunks}{fields}\r\n".encode())
        await asyncio.sleep(0.05)
        transport.close()
        return web.Response()

    async def requests(self, _request: web.Request) -> web.Response:
        return web.json_response(self.seen)

    async def list_running(self, _request: web.Request) -> web.Response:
        return web.json_response(list(self.running))

    async def release(self, request: web.Request) -> web.Response:
        self.running[request.match_info["id"]].set()
        return web.Response()

    async def healthz(self, _request: web.Request) -> web.Response:
        return web.Response(status=self.health)

    async def set_health(self, request: web.Request) -> web.Response:
        self.health = int(request.match_info["status"])
        return web.Response()

    async def forget(self, _request: web.Request) -> web.Response:
        seen, self.seen = self.seen, []
        return web.json_response(seen)


async def main(name: str, port: str = "0") -> None:
    agent = EchoAgent(name)
    app = web.Application(client_max_size=LIMIT)
    app.router.add_get("/requests", agent.requests)
    app.router.add_delete("/requests", agent.forget)
    app.router.add_get("/running", agent.list_running)
    app.router.add_post("/release/{id}", agent.release)
    app.router.add_get("/healthz", agent.healthz)
    app.router.add_put("/healthz/{status}", agent.set_health)
    app.router.add_route("*", "/{path:.*}", agent.handle)
    runner = web.AppRunner(
        app,
        access_log=None,
        max_field_size=2**20,
        max_line_size=2**20,
        handler_cancellation=True,
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", int(port))
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
