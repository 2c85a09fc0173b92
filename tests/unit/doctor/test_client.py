from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from extproc.doctor import client as module
from extproc.doctor.client import Client, NoReply, Target, TooLate
from extproc.doctor.reply import Reply
from extproc.doctor.requests import Filler
from extproc.origin import parse_origin

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def talking_to(
    handler: Handler, *headers: tuple[str, str], patience: float = 20.0
) -> AsyncIterator[Client]:
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/base/v1"
    client = Client(Target(parse_origin(url), headers, patience))
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


async def echo(request: web.Request) -> web.Response:
    headers = [[name, value] for name, value in request.headers.items()]
    body = await request.read()
    told = {"path": request.path, "headers": headers, "size": len(body)}
    return web.json_response(told, headers={"X-Answer": "yes"})


def sent(reply: Reply, name: str) -> list[str]:
    return [value for key, value in reply.document["headers"] if key.lower() == name]


async def test_what_is_sent_and_what_is_kept() -> None:
    async with talking_to(echo, ("authorization", "Bearer k"), ("host", "agents.test")) as client:
        reply = await client.post("/v1/messages", b"{}", [("x-a", "1"), ("x-a", "2")])
        assert (reply.status, reply.header("x-answer")) == (200, "yes")
        assert reply.document["path"] == "/base/v1/messages"
        assert sent(reply, "x-a") == ["1", "2"]
        assert sent(reply, "authorization") == ["Bearer k"]
        assert sent(reply, "host") == ["agents.test"]
        assert sent(reply, "accept-encoding") == ["identity"]
        assert sent(reply, "content-type") == ["application/json"]
        assert sent(reply, "x-request-id") == [reply.request_id] == [f"{client.mark}-1"]
        assert 0 < reply.seconds <= reply.arrivals[0]
        second = await client.get("/v1/models")
        assert sent(second, "x-request-id") == [f"{client.mark}-2"]
        assert sent(second, "content-type") == []
        assert (client.sent, client.replies) == (2, [reply, second])


async def test_large_bodies_have_their_length() -> None:
    async with talking_to(echo) as client:
        reply = await client.post("/v1/messages", Filler(2**20 + 7))
    assert reply.document["size"] == 2**20 + 7
    assert sent(reply, "content-length") == [str(2**20 + 7)]


async def test_no_redirect_is_followed() -> None:
    async def elsewhere(_request: web.Request) -> web.Response:
        raise web.HTTPFound("https://elsewhere.test/")

    async with talking_to(elsewhere) as client:
        assert (await client.get("/")).header("location") == "https://elsewhere.test/"


async def test_of_a_long_answer_the_beginning_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_BODY", 1000)

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 100)

    async with talking_to(endless) as client:
        assert len((await client.get("/")).body) >= 1000


async def test_an_answer_that_does_not_come() -> None:
    async def silent(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with talking_to(silent, patience=0.05) as client:
        with pytest.raises(TooLate, match=r"^no answer within 0.05 s$"):
            await client.get("/")
        assert (client.sent, client.replies) == (1, [])


async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def speak_otherwise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"220 mail.test ESMTP\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("serve", "scheme", "why"),
    [
        (hang_up, "http", "the connection was closed without an answer"),
        (speak_otherwise, "http", "what comes back is not HTTP/1.1"),
        (speak_otherwise, "https", "no TLS there"),
    ],
)
async def test_somebody_else_is_there(serve: Serve, scheme: str, why: str) -> None:
    async def answer_anything(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if scheme == "https":
            writer.write(b"220 mail.test ESMTP\r\n")
            writer.close()
        else:
            await serve(reader, writer)

    server = await asyncio.start_server(answer_anything, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = Client(Target(parse_origin(f"{scheme}://127.0.0.1:{port}"), timeout=20.0))
    with pytest.raises(NoReply, match=f"^{why}$"):
        await client.get("/")
    await client.close()
    server.close()


async def test_nobody_is_there() -> None:
    client = Client(Target(parse_origin("http://127.0.0.1:1"), timeout=20.0))
    with pytest.raises(NoReply, match=r"^no connection: Connection refused$"):
        await client.get("/")
    await client.close()


@pytest.mark.parametrize(
    ("url", "headers", "host", "server_name"),
    [
        ("https://a.test", (), "a.test", "a.test"),
        ("https://a.test:8443", (), "a.test:8443", "a.test"),
        ("https://10.0.0.1", (("Host", "b.test:444"),), "b.test:444", "b.test"),
        ("https://[::1]:8443", (), "[::1]:8443", "::1"),
    ],
)
def test_who_is_asked_for(
    url: str, headers: tuple[tuple[str, str], ...], host: str, server_name: str
) -> None:
    target = Target(parse_origin(url), headers)
    assert (target.host, target.server_name) == (host, server_name)
    assert "Host" not in repr(target)
