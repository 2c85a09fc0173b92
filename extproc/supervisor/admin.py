"""The admin address: what platforms ask to know whether the stack serves."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict

from aiohttp import web

from extproc.address import SocketAddress
from extproc.config.redact import redact
from extproc.supervisor import control, metrics
from extproc.supervisor.errors import StartError
from extproc.supervisor.figures import AgentFigures
from extproc.supervisor.reload import Reloads
from extproc.supervisor.stack import Stack
from extproc.supervisor.variants import make_rows

log = logging.getLogger(__name__)


class AdminServer:
    """Serves what one stack is asked: health, metrics, decisions, variants, configuration."""

    def __init__(self, stack: Stack, reloads: Reloads) -> None:
        self._stack = stack
        self._reloads = reloads
        self._envoy = stack.admin
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/decisions", self._decisions)
        app.router.add_get("/variants", self._variants)
        app.router.add_get("/config", self._config)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self, address: SocketAddress) -> SocketAddress:
        """Listen; return the address with its real port. Raises `StartError`."""
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
        stack = self._stack
        status = "draining" if stack.draining else "ready" if stack.ready else "starting"
        body = {
            "status": status,
            "generation": self._reloads.generation,
            "workers": [{"pid": worker.pid, "status": worker.status} for worker in stack.workers],
            "envoy": {"pid": stack.envoy.pid} if stack.envoy is not None else None,
        }
        return web.json_response(body, status=200 if status == "ready" else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        try:
            agents = await self._agent_figures()
        except OSError as error:
            log.warning("metrics without Envoy's: %s", error)
            agents = ()
        # Reading the files of many workers takes a while.
        body = await asyncio.to_thread(
            metrics.exposition, self._stack.settings.metrics, agents, self._reloads.counts
        )
        return web.Response(body=body, headers={"content-type": metrics.CONTENT_TYPE})

    async def _decisions(self, _request: web.Request) -> web.Response:
        return web.json_response(await control.decisions(self._stack.settings.controls))

    async def _config(self, _request: web.Request) -> web.Response:
        reloads = self._reloads
        last = reloads.last
        told = None
        if last is not None:
            told = {**asdict(last), "time": last.time.isoformat(timespec="milliseconds")}
        shown = {"generation": reloads.generation, "last_reload": told}
        return web.json_response({**shown, "config": redact(reloads.config)})

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
