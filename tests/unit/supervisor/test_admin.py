from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from extproc.address import SocketAddress
from extproc.supervisor.admin import AdminServer
from extproc.supervisor.child import Status
from extproc.supervisor.errors import StartError
from extproc.supervisor.stack import Stack, WorkerSettings

ANY_PORT = SocketAddress("127.0.0.1", 0)


@pytest.fixture
async def served(
    worker_settings: Callable[..., WorkerSettings],
) -> AsyncIterator[tuple[Stack, SocketAddress]]:
    stack = Stack(worker_settings())
    server = AdminServer(stack)
    yield stack, await server.start(ANY_PORT)
    await server.close()


async def get(address: SocketAddress, path: str) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}{path}") as response,
    ):
        return response.status, await response.json()


async def test_it_lives_whatever_the_stack_does(served: tuple[Stack, SocketAddress]) -> None:
    _, address = served
    assert await get(address, "/healthz") == (200, {"status": "ok"})


async def test_readiness_follows_the_stack(
    served: tuple[Stack, SocketAddress], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, address = served
    assert await get(address, "/readyz") == (
        503,
        {
            "status": "starting",
            "generation": 1,
            "workers": [{"pid": None, "status": "down"}],
            "envoy": None,
        },
    )
    monkeypatch.setattr(type(stack.workers[0]), "status", Status.READY)
    status, body = await get(address, "/readyz")
    assert (status, body["status"]) == (200, "ready")
    stack.draining = True
    status, body = await get(address, "/readyz")
    assert (status, body["status"]) == (503, "draining")


async def test_a_taken_address_is_a_start_error(
    served: tuple[Stack, SocketAddress], worker_settings: Callable[..., WorkerSettings]
) -> None:
    _, address = served
    with pytest.raises(StartError, match=rf"{address.port} \(admin\)"):
        await AdminServer(Stack(worker_settings())).start(address)


async def test_metrics_and_decisions_of_all_workers(served: tuple[Stack, SocketAddress]) -> None:
    _, address = served
    assert await get(address, "/decisions") == (200, [])
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}/metrics") as response,
    ):
        assert response.status == 200
        assert response.headers["content-type"].startswith("text/plain")
