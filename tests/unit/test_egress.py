from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from extproc.address import PipeAddress, SocketAddress
from extproc.calls import Call, CallFailed, Target
from extproc.config.model.root import Config
from extproc.egress import Egress, gateway_of
from extproc.forwarding import Credentials
from extproc.origin import parse_origin

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[int]]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Serve one handler on a free port and on `tmp_path/egress.sock`; returns the port."""
    runners: list[web.AppRunner] = []

    async def start(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> int:
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = int(runner.addresses[0][1])
        await web.UnixSite(runner, str(tmp_path / "egress.sock")).start()
        return port

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def direct() -> AsyncIterator[Egress]:
    egress = Egress()
    yield egress
    await egress.close()


def call(port: int, *, timeout: float = 20.0, max_bytes: int = 1000) -> Call:
    target = Target("model", parse_origin(f"http://127.0.0.1:{port}"))
    return Call(target, "/v1/x", b"{}", timeout, max_bytes, (("authorization", "Bearer k"),))


async def test_a_call_straight_to_the_target(serve: Serve, direct: Egress) -> None:
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        assert await request.read() == b"{}"
        return web.Response(status=418, body=b"tea", headers={"X-Pot": "1", "set-cookie": "a=b"})

    port = await serve(handler)
    for _ in range(2):
        response = await direct(call(port))
        assert (response.status, response.body) == (418, b"tea")
        assert response.headers.get("x-pot") == "1"
    first, second = seen
    assert (first.method, first.path) == ("POST", "/v1/x")
    assert first.headers["authorization"] == "Bearer k"
    assert first.headers["content-type"] == "application/json"
    assert "cookie" not in second.headers


async def test_headers_and_path_go_out_as_they_are(serve: Serve, direct: Egress) -> None:
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response()

    utf8 = "José".encode().decode("latin-1")
    headers = (("x-many", "1"), ("x-many", "2"), ("x-name", utf8), ("content-type", "text/json"))
    path = "/base/v1/x?a=%2F%7e&b=1+2&b=%C3%A9&d=/?"
    target = Target("model", parse_origin(f"http://127.0.0.1:{await serve(handler)}"))
    await direct(Call(target, path, b"{}", 20.0, 1000, headers))
    [request] = seen
    assert request.raw_path == path
    sent = [(name.lower(), value) for name, value in request.raw_headers]
    assert [value for name, value in sent if name == b"x-many"] == [b"1", b"2"]
    assert dict(sent)[b"x-name"] == "José".encode()
    assert [value for name, value in sent if name == b"content-type"] == [b"text/json"]


async def test_a_header_that_is_no_utf8_becomes_it(serve: Serve, direct: Egress) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=request.headers["x-name"])

    target = Target("model", parse_origin(f"http://127.0.0.1:{await serve(handler)}"))
    response = await direct(Call(target, "/", b"{}", 20.0, 1000, (("x-name", "Jos\xe9"),)))
    assert response.body.decode() == "José"


@pytest.mark.parametrize("kind", ["unix", "tcp"])
async def test_a_call_through_the_listener_names_its_route(
    kind: str, serve: Serve, tmp_path: Path
) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=request.headers["x-outerloop-target"])

    port = await serve(handler)
    egress = Egress(
        PipeAddress(str(tmp_path / "egress.sock"))
        if kind == "unix"
        else SocketAddress("127.0.0.1", port)
    )
    # The target itself is not reachable from here: only the listener is.
    assert (await egress(call(1))).body == b"model"
    await egress.close()


async def test_envoys_own_answer_is_a_failure(serve: Serve, direct: Egress, tmp_path: Path) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=503, headers={"x-outerloop-error": "upstream_unreachable"})

    port = await serve(handler)
    egress = Egress(PipeAddress(str(tmp_path / "egress.sock")))
    with pytest.raises(CallFailed, match="model: upstream_unreachable"):
        await egress(call(1))
    await egress.close()
    # Straight from the target it means nothing.
    assert (await direct(call(port))).status == 503


async def test_redirects_are_answers(serve: Serve, direct: Egress) -> None:
    async def handler(_request: web.Request) -> web.Response:
        raise web.HTTPFound("http://127.0.0.1:1/elsewhere")

    assert (await direct(call(await serve(handler)))).status == 302


async def test_an_answer_is_read_to_its_limit(serve: Serve, direct: Egress) -> None:
    size = 1000

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * size)

    port = await serve(handler)
    assert len((await direct(call(port))).body) == 1000
    size = 1001
    with pytest.raises(CallFailed, match="more than 1000 bytes"):
        await direct(call(port))


async def test_an_endless_answer_ends_at_the_limit(serve: Serve, direct: Egress) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 4096)

    with pytest.raises(CallFailed, match="more than"):
        await direct(call(await serve(handler), max_bytes=100_000))


async def test_an_inflated_answer_is_limited_too(serve: Serve, direct: Egress) -> None:
    async def handler(_request: web.Request) -> web.Response:
        body = gzip.compress(b"x" * 5_000_000)
        return web.Response(body=body, headers={"content-encoding": "gzip"})

    port = await serve(handler)
    with pytest.raises(CallFailed):
        await direct(call(port, max_bytes=1_000_000))
    assert len((await direct(call(port, max_bytes=5_000_000))).body) == 5_000_000


async def test_what_is_not_what_it_says_is_a_failure(serve: Serve, direct: Egress) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=b"plain", headers={"content-encoding": "gzip"})

    with pytest.raises(CallFailed):
        await direct(call(await serve(handler)))


async def test_the_deadline_covers_everything(serve: Serve, direct: Egress) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        await asyncio.sleep(60)
        return response

    with pytest.raises(CallFailed, match="in time") as failure:
        await direct(call(await serve(handler), timeout=0.1))
    assert failure.value.timed_out


async def test_nobody_there_and_an_answer_that_is_cut(serve: Serve, direct: Egress) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    for port in (1, await serve(handler)):
        with pytest.raises(CallFailed) as failure:
            await direct(call(port))
        assert not failure.value.timed_out


async def test_cancelling_closes_the_connection(serve: Serve, direct: Egress) -> None:
    begun, closed = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        begun.set()
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.01)
        closed.set()
        return web.Response()

    task = asyncio.ensure_future(direct(call(await serve(handler))))
    await begun.wait()
    task.cancel()
    await asyncio.wait_for(closed.wait(), 10)


async def test_credentials_of_a_target_are_for_calls_past_the_listener(
    serve: Serve, direct: Egress, tmp_path: Path
) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=request.headers["authorization"])

    own = Credentials(forward=False, key="own")
    made = call(await serve(handler))
    made = replace(made, target=replace(made.target, credentials=own))
    assert (await direct(made)).body == b"Bearer own"
    through = Egress(PipeAddress(str(tmp_path / "egress.sock")))
    assert (await through(made)).body == b"Bearer k"
    await through.close()


async def test_a_call_through_a_gateway_of_others_brings_its_own_credentials(
    serve: Serve, direct: Egress
) -> None:
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(body=b"{}")

    port = await serve(handler)
    way = direct.through(parse_origin(f"http://127.0.0.1:{port}/out", api=False))
    target = Target("agent/a", parse_origin("http://nowhere"), Credentials(key="k3y"))
    await way(Call(target, "/v1/x", b"{}", 20.0, 1000))
    assert seen[0].path == "/out/v1/x"
    assert seen[0].headers["x-outerloop-target"] == "agent/a"
    assert seen[0].headers["authorization"] == "Bearer k3y"


async def test_our_own_listener_goes_before_a_gateway_of_others(tmp_path: Path) -> None:
    egress = Egress(PipeAddress(str(tmp_path / "egress.sock")))
    assert egress.through(parse_origin("http://gateway")) is egress
    await egress.close()


async def test_what_only_a_gateway_knows_cannot_be_called_without_one(direct: Egress) -> None:
    target = Target("agent/a", parse_origin("http://gateway"), has_address=False)
    with pytest.raises(CallFailed, match=r"agent/a .* needs egress.url"):
        await direct(Call(target, "/v1/x", b"{}", 20.0, 1000))


def test_the_gateway_is_what_the_file_says() -> None:
    file = {
        "version": "v1",
        "agents": [{"id": "a", "url": "http://h"}],
        "listeners": [{"name": "l", "port": 1, "agents": [{"id": "a"}]}],
    }
    assert gateway_of(Config.model_validate(file)) is None
    found = gateway_of(Config.model_validate({**file, "egress": {"url": "https://gw/out/"}}))
    assert found is not None
    assert (found.authority, found.path_prefix) == ("gw", "/out")
