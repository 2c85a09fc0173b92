from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession, web

from extproc.supervisor import hosts

Serve = Callable[[str], Awaitable[int]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serve an application that believes it is bound to a host; return its port."""

    async def hello(_request: web.Request) -> web.Response:
        return web.json_response("hello")

    async with AsyncExitStack() as ends:

        async def start(bound: str) -> int:
            app = web.Application()
            app.router.add_get("/", hello)
            hosts.guard(app, bound)
            runner = web.AppRunner(app)
            await runner.setup()
            ends.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return int(runner.addresses[0][1])

        yield start


async def ask(port: int, host: str, path: str = "/") -> tuple[int, object]:
    url = f"http://127.0.0.1:{port}{path}"
    async with ClientSession() as session, session.get(url, headers={"host": host}) as response:
        return response.status, await response.json()


@pytest.mark.parametrize("bound", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.9.10:1",
        "[::1]",
        "[::1]:65535",
        "localhost",
        "LocalHost:80",
        "a.localhost:1",
        "0.0.0.0",
        "10.0.0.1:9902",
        "host.docker.internal:9902",
    ],
)
async def test_this_machine_by_all_its_names(serve: Serve, bound: str, host: str) -> None:
    assert await ask(await serve(bound), host) == (200, "hello")


@pytest.mark.parametrize("bound", ["127.0.0.1", "::1", "localhost"])
@pytest.mark.parametrize("path", ["/", "/nothing"])
@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:9902", "localhost.evil.example", "notlocalhost"),
        *("127.0.0.1.evil.example", "::1", "[::1", "localhost:x", "internal.evil.example"),
        *("evil.example@localhost", "localhost:80:80", "127.1"),
    ],
)
async def test_a_name_that_others_own_is_refused(
    serve: Serve, bound: str, path: str, host: str
) -> None:
    refused = {"error": "the admin listens on this machine alone: ask for 127.0.0.1 or localhost"}
    assert await ask(await serve(bound), host, path) == (421, refused)


@pytest.mark.parametrize("bound", ["0.0.0.0", "::", "10.0.0.1", "admin.example"])
async def test_elsewhere_any_name_will_do(serve: Serve, bound: str) -> None:
    assert await ask(await serve(bound), "outerloop.agents.svc:9902") == (200, "hello")


@pytest.mark.parametrize(("sent", "status"), [("", b"200"), ("host:\r\n", b"421")])
async def test_a_probe_may_name_no_host_at_all(serve: Serve, sent: str, status: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", await serve("127.0.0.1"))
    writer.write(f"GET / HTTP/1.0\r\n{sent}\r\n".encode())
    assert (await reader.readline()).split()[1] == status
    writer.close()
    await writer.wait_closed()
