"""What a supervisor asks of its worker: a small HTTP interface on a private unix socket."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final

from aiohttp import web

from extproc.availability import Availability
from extproc.config.faults import ConfigError
from extproc.errors import OuterloopError
from extproc.explaining import body_of, describe, explain
from extproc.generations import Generations
from extproc.telemetry.decisions import Decisions
from extproc.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

PATH_DECISIONS: Final = "/decisions"
PATH_STATE: Final = "/state"
PATH_PREPARE: Final = "/prepare"
PATH_COMMIT: Final = "/commit"
PATH_DOWN: Final = "/down"
PATH_ROUTE: Final = "/route"
PATH_TELL: Final = "/tell"

_LONGEST_TRIAL: Final = 20.0
"""Seconds: a person waits."""


class Control:
    """Answers one supervisor."""

    def __init__(
        self,
        generations: Generations,
        decisions: Decisions,
        availability: Availability,
        metrics: Metrics,
    ) -> None:
        self._generations = generations
        self._decisions = decisions
        self._availability = availability
        self._metrics = metrics

    async def start(self, socket: Path) -> web.AppRunner:
        """Serve until the runner is cleaned up. A socket that a killed worker left is replaced."""
        app = web.Application()
        app.router.add_get(PATH_DECISIONS, self._newest)
        app.router.add_get(PATH_STATE, self._state)
        app.router.add_post(PATH_PREPARE, self._prepare)
        app.router.add_post(PATH_COMMIT, self._commit)
        app.router.add_post(PATH_DOWN, self._down)
        app.router.add_post(PATH_ROUTE, self._route)
        app.router.add_post(PATH_TELL, self._tell)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        socket.unlink(missing_ok=True)  # noqa: ASYNC240 - once, at the start
        await web.UnixSite(runner, str(socket)).start()
        return runner

    async def _newest(self, request: web.Request) -> web.Response:
        kept, limit = self._decisions, request.query.get("limit")
        newest = kept.newest_first(int(limit) if limit is not None else None)
        return web.json_response({"decisions": newest, "answers": kept.answers()})

    async def _state(self, _request: web.Request) -> web.Response:
        made = self._generations
        return web.json_response({"generation": made.number, "older_streams": made.older_streams})

    async def _prepare(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        try:
            await self._generations.prepare(Path(wanted["snapshot"]), wanted["generation"])
        except (ConfigError, ValueError, OSError) as error:
            return web.json_response({"error": str(error)}, status=422)
        return web.json_response({})

    async def _commit(self, request: web.Request) -> web.Response:
        try:
            self._generations.commit((await request.json())["generation"])
            self._decisions.keep(self._generations.config.observability.decisions)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=409)
        return web.json_response({})

    async def _down(self, request: web.Request) -> web.Response:
        self._availability.down = frozenset((await request.json())["agents"])
        return web.json_response({})

    async def _tell(self, _request: web.Request) -> web.Response:
        self._metrics.tell()
        return web.json_response({})

    async def _route(self, request: web.Request) -> web.Response:
        wanted, runtime = await request.json(), self._generations.runtime
        listener = runtime.listeners.get(wanted["listener"])
        if listener is None:
            return web.json_response({"error": "no such listener"}, status=400)
        try:
            async with asyncio.timeout(_LONGEST_TRIAL):
                explained = await explain(runtime, listener, body_of(wanted["text"]))
        except OuterloopError as error:
            return web.json_response({"error": error.message}, status=error.status)
        except TimeoutError:
            return web.json_response({"error": "not decided in time"}, status=504)
        return web.json_response(describe(explained))
