from __future__ import annotations

import re
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any

import pytest
from aiohttp import ClientSession, web

from extproc.supervisor import site

PAGE = files("extproc.supervisor") / "page"
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
NAMES = sorted(path.name for path in PAGE.iterdir())


@pytest.fixture
async def served() -> AsyncIterator[str]:
    async def other(_request: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    site.add_to(app)
    app.router.add_get("/other", other)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def path_of(name: str) -> str:
    return "/" if name == "index.html" else f"/page/{name}"


async def get(url: str, **headers: str) -> tuple[int, Any, bytes]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with ClientSession() as session, session.get(url, headers=sent) as response:
        return response.status, response.headers, await response.read()


@pytest.mark.parametrize("name", NAMES)
async def test_each_file_as_it_is(served: str, name: str) -> None:
    status, headers, body = await get(served + path_of(name))
    assert (status, body) == (200, (PAGE / name).read_bytes())
    assert headers["content-type"] == f"{TYPES[name.rpartition('.')[2]]}; charset=utf-8"
    assert headers["cache-control"] == "no-cache"
    status, _, body = await get(served + path_of(name), if_none_match=headers["etag"])
    assert (status, body) == (304, b"")
    assert (await get(served + path_of(name), if_none_match='"other"'))[0] == 200


@pytest.mark.parametrize("path", ["/", "/other", "/page/main.js", "/page/nothing"])
async def test_what_every_answer_forbids(served: str, path: str) -> None:
    _, headers, _ = await get(served + path)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/page/../site.py", "/page/%2e%2e/site.py", "/page/", "/page"])
async def test_nothing_else_is_served(served: str, path: str) -> None:
    assert (await get(served + path))[0] == 404


def test_the_page_needs_nothing_from_elsewhere() -> None:
    for name in NAMES:
        text = (PAGE / name).read_text(encoding="utf-8")
        assert not re.search(r"(?<!xmlns=')https?://", text), name
        assert "innerHTML" not in text
        for imported in re.findall(r'from "\./(.+)"', text):
            assert imported in NAMES
    for linked in re.findall(r'(?:href|src)="page/(.+?)"', (PAGE / "index.html").read_text()):
        assert linked in NAMES
