"""An authorization service: says yes to `x-api-key: good`, else 403. Prints its port."""

from __future__ import annotations

import socket
import sys

from aiohttp import web


async def check(request: web.Request) -> web.Response:
    allowed = request.headers.get("x-api-key") == "good"
    return web.Response(status=200 if allowed else 403, text="" if allowed else "no")


if __name__ == "__main__":
    app = web.Application()
    app.router.add_route("*", "/check/{path:.*}", check)
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    web.run_app(app, sock=listening, print=None)
