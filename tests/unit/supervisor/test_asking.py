from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from extproc.supervisor.asking import LONGEST_BODY, LONGEST_TEXT, Refused, read

Ask = Callable[..., Any]
JSON = "application/json"


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    """Send a body to who reads it with some listeners; return the status, and what was read."""
    listeners: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        try:
            asked = await read(request, listeners)
        except Refused as error:
            return web.json_response(str(error), status=error.status)
        return web.json_response([asked.text, asked.listener])

    app = web.Application(client_max_size=LONGEST_BODY)
    app.router.add_post("/route", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def send(body: Any, *names: str, **headers: str) -> tuple[int, Any]:
        listeners[:] = names or ("main",)
        data = body if isinstance(body, bytes) else json.dumps(body)
        sent = {"content-type": JSON} | {
            name.replace("_", "-"): value.format(url=url) for name, value in headers.items()
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/route", data=data, headers=sent) as response,
        ):
            return response.status, await response.json()

    yield send
    await runner.cleanup()


async def test_a_text_and_its_listener(ask: Ask) -> None:
    assert await ask({"text": "rain?", "listener": "b"}, "a", "b") == (200, ["rain?", "b"])
    assert await ask({"text": ""}) == (200, ["", "main"])
    assert await ask({"text": "\ud83d", "listener": None}) == (200, ["\ud83d", "main"])


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"\xff", b"[" * 100_000, b"[]", b"{}", b'"text"'),
        *({"text": 1}, {"text": None}, {"text": "a", "listener": "c"}),
        *({"text": "a", "listener": 1}, {"text": "a", "listener": []}),
        *({"text": "a"}, {"text": "a", "listener": "a", "model": "m"}),
    ],
)
async def test_what_is_no_question(ask: Ask, body: Any) -> None:
    status, why = await ask(body, "a", "b")
    assert (status, type(why)) == (400, str)


async def test_a_listener_must_be_named_where_there_are_several(ask: Ask) -> None:
    assert await ask({"text": "rain?"}, "a", "b") == (400, "listener: one of a, b")


@pytest.mark.parametrize("letter", ["x", "é", "\x00"])
async def test_a_text_is_bounded(ask: Ask, letter: str) -> None:
    longest = letter * (LONGEST_TEXT // len(letter.encode()))
    assert (await ask({"text": longest}))[0] == 200
    assert (await ask({"text": f"{longest}x"}))[0] == 413
    assert (await ask(b" " * (LONGEST_BODY + 1)))[0] == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "application/json; charset=utf-8"}, 200),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"origin": "{url}", "sec_fetch_site": "same-origin"}, 200),
        ({"origin": "{url}"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"origin": "https://elsewhere.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"origin": "{url}", "sec_fetch_site": "same-site"}, 403),
    ],
)
async def test_no_other_web_site_may_ask(ask: Ask, headers: dict[str, str], status: int) -> None:
    assert (await ask({"text": "rain?"}, **headers))[0] == status
