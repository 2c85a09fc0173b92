"""The admin address: what platforms and people ask to know whether and how the stack serves."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Final

from aiohttp import web

from extproc.address import SocketAddress
from extproc.config.redact import redact
from extproc.supervisor import asking, control, hosts, measuring, metrics, site, status
from extproc.supervisor.cases import as_cases
from extproc.supervisor.errors import StartError
from extproc.supervisor.figures import AgentFigures
from extproc.supervisor.reload import Reloads
from extproc.supervisor.stack import Stack
from extproc.supervisor.variants import make_rows

_LIMIT: Final = re.compile(r"[0-9]{1,6}")


class AdminServer:
    """Serves what one stack is asked, the status page among it."""

    def __init__(self, stack: Stack, reloads: Reloads) -> None:
        self._stack = stack
        self._reloads = reloads
        self._envoy = stack.admin
        self._app = app = web.Application(client_max_size=asking.LONGEST_BODY)
        site.add_to(app)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/decisions", self._decisions)
        app.router.add_get("/variants", self._variants)
        app.router.add_get("/config", self._config)
        app.router.add_get("/status", self._status)
        app.router.add_post("/route", self._route)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self, address: SocketAddress) -> SocketAddress:
        """Listen; return the address with its real port. Raises `StartError`."""
        hosts.guard(self._app, address.host)
        await self._runner.setup()
        site = web.TCPSite(self._runner, address.host, address.port)
        try:
            await site.start()
        except OSError as error:
            await self.close()
            raise StartError(f"cannot listen on {address} (admin): {error.strerror}") from error
        return SocketAddress(address.host, self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        body = status.readiness(self._stack, self._reloads)
        return web.json_response(body, status=200 if body["status"] == "ready" else 503)

    async def _status(self, _request: web.Request) -> web.Response:
        gathered = await status.gather(self._stack)
        return web.json_response(status.describe(self._stack, self._reloads, gathered))

    async def _metrics(self, _request: web.Request) -> web.Response:
        body = await measuring.measure(self._stack, self._reloads)
        return web.Response(body=body, headers={"content-type": metrics.CONTENT_TYPE})

    async def _decisions(self, request: web.Request) -> web.Response:
        limit = request.query.get("limit")
        if limit is not None and not _LIMIT.fullmatch(limit):
            return web.json_response({"error": "limit must be a number"}, status=400)
        form = request.query.get("format", "json")
        if form not in {"json", "cases"}:
            return web.json_response({"error": "format is json or cases"}, status=400)
        if form == "cases" and not self._reloads.config.observability.capture_prompts:
            why = "no prompt is kept: observability.capture_prompts is false"
            return web.json_response({"error": why}, status=404)
        most = int(limit) if limit is not None else None
        decisions = await control.decisions(self._stack.settings.controls, most)
        if form == "cases":
            return web.Response(body=as_cases(decisions), content_type="application/x-ndjson")
        return web.json_response(decisions)

    async def _config(self, _request: web.Request) -> web.Response:
        reloads = self._reloads
        shown = {"generation": reloads.generation, "last_reload": status.last_reload(reloads)}
        return web.json_response({**shown, "config": redact(reloads.config)})

    async def _route(self, request: web.Request) -> web.Response:
        names = [listener.name for listener in self._reloads.config.listeners]
        try:
            asked = await asking.read(request, names)
            decided = await control.route(self._stack.serving(), asked.text, asked.listener)
        except (asking.Refused, control.WorkerFailed) as error:
            return web.json_response({"error": str(error)}, status=error.status)
        return web.json_response(decided)

    async def _variants(self, _request: web.Request) -> web.Response:
        if self._envoy is None:
            why = "this Envoy is not ours: its own statistics have the figures of variants"
            return web.json_response({"error": why}, status=404)
        try:
            rows = make_rows(await self._agent_figures())
        except OSError as error:
            return web.json_response({"error": f"no figures: {error}"}, status=503)
        return web.json_response([asdict(row) for row in rows])

    async def _agent_figures(self) -> tuple[AgentFigures, ...]:
        return () if self._envoy is None else await self._envoy.agent_figures()
