"""The admin address: what platforms ask to know whether the stack serves."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from extproc.supervisor.addresses import Address
from extproc.supervisor.errors import StartError
from extproc.supervisor.stack import Stack

GENERATION: Final = 1


async def start(stack: Stack, address: Address) -> tuple[web.AppRunner, Address]:
    """Serve `/healthz` and `/readyz`; return the runner and the address with its real port.

    Raises `StartError` where the address is taken.
    """
    app = web.Application()
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", lambda request: _readyz(request, stack))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, address.host, address.port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise StartError(f"cannot listen on {address} (admin): {error.strerror}") from error
    bound = runner.addresses[0]
    return runner, Address(address.host, bound[1])


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _readyz(_request: web.Request, stack: Stack) -> web.Response:
    status = "draining" if stack.draining else "ready" if stack.ready else "starting"
    body = {
        "status": status,
        "generation": GENERATION,
        "workers": [{"pid": worker.pid, "status": worker.status} for worker in stack.workers],
        "envoy": {"pid": stack.envoy.pid} if stack.envoy is not None else None,
    }
    return web.json_response(body, status=200 if status == "ready" else 503)
