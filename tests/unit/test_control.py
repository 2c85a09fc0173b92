from __future__ import annotations

import socket
from pathlib import Path

import aiohttp

from extproc.control import start
from extproc.telemetry.decisions import Decisions


async def test_decisions_are_told_on_a_private_socket(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    runner = await start(path, Decisions(5))
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
        session.get("http://worker/decisions") as response,
    ):
        assert await response.json() == {"decisions": [], "answers": {}}
    await runner.cleanup()
