"""What a worker tells its supervisor: a small HTTP interface on a private unix socket."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web

from extproc.telemetry.decisions import Decisions

PATH_DECISIONS: Final = "/decisions"


async def start(socket: Path, decisions: Decisions) -> web.AppRunner:
    """Serve until the runner is cleaned up. A socket that a killed worker left is replaced."""

    async def newest(_request: web.Request) -> web.Response:
        return web.json_response(
            {"decisions": decisions.newest_first(), "answers": decisions.answers()}
        )

    app = web.Application()
    app.router.add_get(PATH_DECISIONS, newest)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    socket.unlink(missing_ok=True)  # noqa: ASYNC240 - once, at the start
    await web.UnixSite(runner, str(socket)).start()
    return runner
