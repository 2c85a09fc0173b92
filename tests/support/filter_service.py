"""Filters in a process of their own: `python filter_service.py http|mcp`. Prints its port.

The last message's text says what they do; see `tests/e2e/test_filters.py`. `GET /calls` of the
HTTP one returns what it was sent.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from mcp.server import MCPServer


def text_of(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


async def cut() -> AsyncIterator[bytes]:
    """Break off in the middle of an answer."""
    yield b'{"messages": ['
    raise ConnectionError


async def answer(body: bytes) -> Response:  # noqa: PLR0911 - a row for each behaviour
    """Do what the text of an agent's answer, or of one event of it, says."""
    if b"slow" in body:
        await asyncio.sleep(30)
    if b"nonsense" in body:
        return Response("<html>")
    if b"redirect" in body:
        return Response(status_code=307, headers={"location": "/v1/chat/completions"})
    if b"cut" in body:
        return StreamingResponse(cut())
    if b"large" in body:
        return Response(b"x" * 50 * 2**20)
    if b"refuse" in body:
        return Response('{"detail": "not that"}', 451)
    if b"fail" in body:
        return Response(status_code=500)
    if b"drop" in body:
        return Response(b"")
    return Response(body.replace(b"secret", b"[gone]"))


def http() -> FastAPI:  # noqa: C901 - a row for each behaviour
    app = FastAPI()
    calls: list[dict[str, str]] = []

    @app.get("/calls")
    async def seen() -> list[dict[str, str]]:
        return calls

    @app.post("/v1/chat/completions")
    async def check(request: Request) -> Response:  # noqa: C901, PLR0911 - as above
        calls.append(dict(request.headers))
        if request.headers["x-outerloop-phase"] == "output":
            return await answer(await request.body())
        body = json.loads(await request.body())
        match text_of(body).split():
            case ["refuse", *_]:
                return Response('{"detail": "not here"}', 422, media_type="application/json")
            case ["status", status, *_]:
                return Response("oops", int(status), headers={"location": "/v1/chat/completions"})
            case ["empty", *_]:
                return Response()
            case ["nothing", *_]:
                return Response(status_code=204)
            case ["nonsense", *_]:
                return Response("<html>")
            case ["shape", *_]:
                return Response('{"messages": 7}')
            case ["slow", *_]:
                await asyncio.sleep(30)
            case ["cut", *_]:
                return StreamingResponse(cut())
            case ["flood", *_]:
                return Response(b"x" * 50 * 2**20)
        body["messages"][-1]["content"] += " filtered"
        return Response(json.dumps(body), media_type="application/json")

    return app


def mcp() -> Any:
    server = MCPServer("filters")

    @server.tool()
    def guard(body: dict[str, Any], path: str) -> dict[str, Any]:
        if "tool-refuses" in text_of(body):
            raise ValueError("refused")
        body["messages"][-1]["content"] += f" by tool at {path}"
        return body

    return server.streamable_http_app()


def main(kind: str) -> None:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    app = http() if kind == "http" else mcp()
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=0)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1])
