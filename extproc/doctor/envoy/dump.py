"""The configuration that an Envoy runs, as its admin shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import aiohttp

from extproc.address import Address, PipeAddress

Json = Mapping[str, Any]

_LONGEST: Final = 256 * 2**20
"""Bytes: meshes of thousands of services have dumps of many megabytes."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)


class Unreadable(Exception):
    """There is no such configuration at that address; the text says why."""


async def read(address: Address) -> Json:
    """Return what `GET /config_dump` answers there. Raises `Unreadable`."""
    pipe = isinstance(address, PipeAddress)
    connector = aiohttp.UnixConnector(address.path) if isinstance(address, PipeAddress) else None
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT) as session,
            session.get(f"http://{'envoy' if pipe else address}/config_dump") as response,
        ):
            content = await _whole(response.content)
    except (aiohttp.ClientError, OSError) as error:
        raise Unreadable(f"no Envoy admin answers at {address}") from error
    try:
        dump = json.loads(content)
        configs(dump)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise Unreadable(f"what answers at {address} is no Envoy admin") from error
    return dict(dump)


async def _whole(stream: aiohttp.StreamReader) -> bytes:
    content = bytearray()
    async for piece in stream.iter_any():
        content += piece
        if len(content) > _LONGEST:
            raise Unreadable(f"the configuration is over {_LONGEST // 2**20} MiB")
    return bytes(content)


def configs(dump: Json) -> dict[str, Json]:
    """Return the parts of a dump by the last word of their type: `ListenersConfigDump` and so on.

    Raises LookupError, TypeError or AttributeError where it is no dump.
    """
    return {kind_of(each).rpartition(".")[2]: each for each in dump["configs"]}


def kind_of(config: Json) -> str:
    """Return the full name of a message's type, empty where it has none."""
    return str(config.get("@type", "")).rpartition("/")[2]


def listeners(dump: Json) -> Iterator[Json]:
    """Yield the listeners in force."""
    part = configs(dump).get("ListenersConfigDump", {})
    for each in part.get("static_listeners", ()):
        yield each.get("listener", {})
    for each in part.get("dynamic_listeners", ()):
        yield each.get("active_state", {}).get("listener", {})


def clusters(dump: Json) -> dict[str, Json]:
    """Return the clusters in force by their names."""
    part = configs(dump).get("ClustersConfigDump", {})
    every = (*part.get("static_clusters", ()), *part.get("dynamic_active_clusters", ()))
    return {each["cluster"]["name"]: each["cluster"] for each in every if "cluster" in each}


def route_configs(dump: Json) -> dict[str, Json]:
    """Return what route configurations were discovered, by their names."""
    part = configs(dump).get("RoutesConfigDump", {})
    every = (each.get("route_config", {}) for each in part.get("dynamic_route_configs", ()))
    return {str(each.get("name", "")): each for each in every}


def discovered_filters(dump: Json) -> dict[str, Json]:
    """Return the configurations of filters that were discovered one by one, by their names."""
    part = configs(dump).get("EcdsConfigDump", {})
    every = (each.get("ecds_filter", {}) for each in part.get("ecds_filters", ()))
    return {str(each.get("name", "")): each.get("typed_config", {}) for each in every}
