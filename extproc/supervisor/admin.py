"""The admin address: what platforms ask to know whether the stack serves."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from extproc.address import SocketAddress
from extproc.supervisor import control, metrics
from extproc.supervisor.errors import StartError
from extproc.supervisor.stack import Stack

_GENERATION: Final = 1


class AdminServer:
    """Serves `/healthz`, `/readyz`, `/metrics` and `/decisions` of one stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/decisions", self._decisions)
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
            "generation": _GENERATION,
            "workers": [{"pid": worker.pid, "status": worker.status} for worker in stack.workers],
            "envoy": {"pid": stack.envoy.pid} if stack.envoy is not None else None,
        }
        return web.json_response(body, status=200 if status == "ready" else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        # Reading the files of many workers takes a while.
        body = await asyncio.to_thread(metrics.exposition, self._stack.settings.metrics)
        return web.Response(body=body, headers={"content-type": metrics.CONTENT_TYPE})

    async def _decisions(self, _request: web.Request) -> web.Response:
        return web.json_response(await control.decisions(self._stack.settings.controls))
