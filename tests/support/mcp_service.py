"""An MCP filter in a process of its own: `python mcp_service.py PORT MODE`. Prints its port.

MODE `events` and `json` say how it answers; `session` knows only the older protocol, with sessions.
Tools: `guard` marks and may refuse, `text` answers
with text, `structured` with an object, `hang` never, `events` masks the raw lines of events.
`GET /posts` tells how many requests of which method of the protocol came.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections import Counter
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

server = MCPServer("filters")
posts: Counter[str] = Counter()


def mark(body: dict[str, Any], what: str) -> dict[str, Any]:
    body["messages"][-1]["content"] += f" {what}"
    return body


@server.tool()
def guard(body: dict[str, Any], path: str) -> dict[str, Any]:
    return mark(body, f"guarded {path}")


@server.tool(structured_output=False)
def text(body: dict[str, Any], path: str) -> str:  # noqa: ARG001 - the filters' form
    return json.dumps(mark(body, "as text"))


@server.tool()
async def hang(body: dict[str, Any], path: str) -> dict[str, Any]:  # noqa: ARG001 - the filters' form
    await asyncio.sleep(60)
    return body


@server.tool()
def error(body: dict[str, Any], path: str) -> dict[str, Any]:  # noqa: ARG001 - the filters' form
    raise MCPError(-32000, "my secret")


@server.tool()
def flood(body: dict[str, Any], path: str) -> dict[str, Any]:  # noqa: ARG001 - the filters' form
    return {"messages": [{"role": "user", "content": "x" * 50 * 2**20}]}


@server.tool()
def events(body: Any, path: str) -> Any:  # noqa: ARG001 - the filters' form
    if isinstance(body, str):
        return body.replace("secret", "[gone]")
    return json.loads(json.dumps(body).replace("secret", "[gone]"))


async def count(_request: Request) -> JSONResponse:
    return JSONResponse(posts)


def counting(app: Any, *, sessions: bool) -> Any:
    """Count the requests; with `sessions` nobody gets to hear of the newer protocol."""

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("method") != "POST":
            await app(scope, receive, send)
            return
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        method = json.loads(b"".join(each["body"] for each in messages)).get("method", "?")
        posts[method] += 1
        if sessions and method == "server/discover":
            await Response(status_code=400)(scope, receive, send)
            return

        async def again() -> Any:
            return messages.pop(0) if messages else await receive()

        await app(scope, again, send)

    return counted


def main(port: int, mode: str) -> None:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen()
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    inner = server.streamable_http_app(json_response=mode == "json")
    inner.router.routes.append(Route("/posts", count))
    app = counting(inner, sessions=mode == "session")
    uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=0)).run(
        sockets=[listening]
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
