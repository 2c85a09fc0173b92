"""Asking the workers: see `extproc.control` for their side."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Final

import aiohttp

from extproc.supervisor.stack import Snapshot

log = logging.getLogger(__name__)

_TIMEOUT: Final = aiohttp.ClientTimeout(total=2)
_LONG: Final = aiohttp.ClientTimeout(total=60)
"""A configuration of a thousand agents takes seconds to compile."""


class WorkerFailed(Exception):
    """A worker did not do what it was asked; the message says why."""


async def decisions(sockets: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the last decisions of all workers, newest first; a worker that is down has none."""
    told = await asyncio.gather(*map(_decisions, sockets))
    everything = [decision for each in told for decision in each.get("decisions", ())]
    # Another worker may have filtered the answer.
    answers = {id_: filters for each in told for id_, filters in each.get("answers", {}).items()}
    for decision in everything:
        decision["filters"] += answers.get(decision.pop("exchange"), [])
    return sorted(everything, key=lambda decision: str(decision["time"]), reverse=True)


async def _decisions(socket: Path) -> dict[str, Any]:
    try:
        return await _ask("GET", socket, "/decisions")
    except WorkerFailed as error:
        log.warning("%s", error)
        return {}


async def to_all(
    sockets: Iterable[Path], ask: Callable[[Path], Coroutine[None, None, object]]
) -> None:
    """Ask all workers at once. Raises `WorkerFailed` for the first that fails."""
    try:
        async with asyncio.TaskGroup() as group:
            for socket in sockets:
                group.create_task(ask(socket))
    except* WorkerFailed as failed:
        first = failed.exceptions[0]
        raise first from None


async def state(socket: Path) -> dict[str, Any]:
    """Return a worker's generation, and how many streams began with older ones."""
    return await _ask("GET", socket, "/state")


async def prepare(socket: Path, snapshot: Snapshot) -> None:
    """Have a worker load a configuration. Raises `WorkerFailed`: it cannot be used."""
    wanted = {"snapshot": str(snapshot.path), "generation": snapshot.generation}
    await _ask("POST", socket, "/prepare", wanted, _LONG)


async def commit(socket: Path, snapshot: Snapshot) -> None:
    """Have a worker decide by what it has prepared. Raises `WorkerFailed`."""
    await _ask("POST", socket, "/commit", {"generation": snapshot.generation})


async def tell_down(socket: Path, agents: Iterable[str]) -> None:
    """Tell a worker which agents have no healthy host. Raises `WorkerFailed`."""
    await _ask("POST", socket, "/down", {"agents": sorted(agents)})


async def _ask(
    method: str,
    socket: Path,
    path: str,
    body: dict[str, Any] | None = None,
    patience: aiohttp.ClientTimeout = _TIMEOUT,
) -> dict[str, Any]:
    connector = aiohttp.UnixConnector(str(socket))
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=patience) as session,
            session.request(method, f"http://worker{path}", json=body) as response,
        ):
            answer = dict(await response.json())
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise WorkerFailed(f"a worker does not answer: {type(error).__name__}") from None
    if not response.ok:
        raise WorkerFailed(str(answer.get("error", response.status)))
    return answer
