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
_TRIAL: Final = aiohttp.ClientTimeout(total=25)
"""Longer than a worker gives itself."""


class WorkerFailed(Exception):
    """A worker did not do what it was asked; the message says why, `status` as HTTP does."""

    def __init__(self, message: str, status: int = 503) -> None:
        super().__init__(message)
        self.status = status


async def decisions(sockets: Iterable[Path], limit: int | None = None) -> list[dict[str, Any]]:
    """Return the last decisions of all workers, newest first; a worker that is down has none.

    `limit` is how many at most.
    """
    told = await asyncio.gather(*(_decisions(socket, limit) for socket in sockets))
    everything = [decision for each in told for decision in each.get("decisions", ())]
    # Another worker may have filtered the answer.
    answers = {id_: filters for each in told for id_, filters in each.get("answers", {}).items()}
    for decision in everything:
        decision["filters"] += answers.get(decision.pop("exchange"), [])
    return sorted(everything, key=lambda decision: str(decision["time"]), reverse=True)[:limit]


async def _decisions(socket: Path, limit: int | None) -> dict[str, Any]:
    query = f"?limit={limit}" if limit is not None else ""
    try:
        return await _ask("GET", socket, f"/decisions{query}")
    except WorkerFailed as error:
        log.warning("%s", error)
        return {}


async def tell_metrics(sockets: Iterable[Path]) -> None:
    """Have workers write down what they have counted until now; one that is down has done it."""
    found = await asyncio.gather(
        *(_ask("POST", socket, "/tell") for socket in sockets), return_exceptions=True
    )
    for failed in found:
        if isinstance(failed, WorkerFailed):
            log.warning("metrics may lack the last moments: %s", failed)


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


async def route(sockets: Iterable[Path], text: str, listener: str) -> dict[str, Any]:
    """Return the decision of one of the workers about a text, explained. Raises `WorkerFailed`."""
    socket = next(iter(sockets), None)
    if socket is None:
        raise WorkerFailed("no worker serves")
    return await _ask("POST", socket, "/route", {"text": text, "listener": listener}, _TRIAL)


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
        raise WorkerFailed(str(answer.get("error", response.status)), response.status)
    return answer
