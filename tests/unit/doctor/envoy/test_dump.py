from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from extproc.address import Address, PipeAddress, SocketAddress
from extproc.doctor.envoy import dump as module
from extproc.doctor.envoy.dump import (
    Unreadable,
    clusters,
    discovered_filters,
    listeners,
    read,
    route_configs,
)

Json = dict[str, Any]


@asynccontextmanager
async def admin(text: str, pipe: Path | None = None) -> AsyncIterator[Address]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=text)

    app = web.Application()
    app.router.add_get("/config_dump", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site: Any = web.UnixSite(runner, str(pipe)) if pipe else web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield PipeAddress(str(pipe)) if pipe else SocketAddress(*runner.addresses[0])
    await runner.cleanup()


@pytest.mark.parametrize("pipe", [True, False])
async def test_it_is_read_from_either_kind_of_address(tmp_path: Path, pipe: bool) -> None:
    async with admin('{"configs": []}', tmp_path / "envoy.sock" if pipe else None) as address:
        assert await read(address) == {"configs": []}


@pytest.mark.parametrize("text", ["<html>", "[]", "{}", '{"configs": 1}', '{"configs": ["x"]}'])
async def test_somebody_else_answers(text: str) -> None:
    async with admin(text) as address:
        with pytest.raises(Unreadable, match="is no Envoy admin"):
            await read(address)


async def test_it_has_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST", 1000)
    async with admin("x" * 2000) as address:
        with pytest.raises(Unreadable, match="the configuration is over"):
            await read(address)


async def test_nobody_answers(tmp_path: Path) -> None:
    for address in (SocketAddress("127.0.0.1", 1), PipeAddress(str(tmp_path / "none.sock"))):
        with pytest.raises(Unreadable, match="no Envoy admin answers at"):
            await read(address)


def test_what_is_in_force(make_dump: Callable[..., Json]) -> None:
    dumped = make_dump({"a": 1}, {"b": 2})
    assert [each["name"] for each in listeners(dumped)] == ["l1", "l2"]
    assert list(clusters(dumped)) == ["outerloop", "weather"]
    assert (route_configs(dumped), discovered_filters(dumped)) == ({}, {})


def test_what_was_discovered() -> None:
    table = {"name": "routes", "virtual_hosts": []}
    dumped = {
        "configs": [
            {"@type": "x.RoutesConfigDump", "dynamic_route_configs": [{"route_config": table}]},
            {
                "@type": "x.EcdsConfigDump",
                "ecds_filters": [{"ecds_filter": {"name": "f", "typed_config": {"a": 1}}}],
            },
        ]
    }
    assert route_configs(dumped) == {"routes": table}
    assert discovered_filters(dumped) == {"f": {"a": 1}}
    assert list(listeners(dumped)) == []
