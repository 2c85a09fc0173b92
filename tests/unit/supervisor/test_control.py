from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from extproc.supervisor.control import decisions


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[list[Path]]:
    """Two workers that answer, and one that is down."""
    runners = []
    sockets = [tmp_path / f"{index}.sock" for index in range(3)]
    for index, socket in enumerate(sockets[:2]):

        async def handler(_request: web.Request, index: int = index) -> web.Response:
            told = [
                {"time": time, "filters": ["input"], "exchange": time}
                for time in (f"2026-01-0{index + 2}", "2026-01-01")
            ]
            # The answer to a request of the other worker.
            answers = {f"2026-01-0{3 - index}": ["output"]}
            return web.json_response({"decisions": told, "answers": answers})

        app = web.Application()
        app.router.add_get("/decisions", handler)
        runners.append(web.AppRunner(app))
        await runners[-1].setup()
        await web.UnixSite(runners[-1], str(socket)).start()
    yield sockets
    for runner in runners:
        await runner.cleanup()


async def test_all_workers_decisions_newest_first(workers: list[Path]) -> None:
    found = await decisions(workers)
    assert [each["time"] for each in found] == [
        "2026-01-03",
        "2026-01-02",
        "2026-01-01",
        "2026-01-01",
    ]
    assert [each["filters"] for each in found] == [
        ["input", "output"],
        ["input", "output"],
        ["input"],
        ["input"],
    ]
    assert all("exchange" not in each for each in found)
