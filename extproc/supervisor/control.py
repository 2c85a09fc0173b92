"""Asking the workers: see `extproc.control` for their side."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import aiohttp

log = logging.getLogger(__name__)

_TIMEOUT: Final = aiohttp.ClientTimeout(total=2)


async def decisions(sockets: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the last decisions of all workers, newest first; a worker that is down has none."""
    told = await asyncio.gather(*(_ask(socket, "/decisions") for socket in sockets))
    everything = [decision for each in told for decision in each.get("decisions", ())]
    # Another worker may have filtered the answer.
    answers = {id_: filters for each in told for id_, filters in each.get("answers", {}).items()}
    for decision in everything:
        decision["filters"] += answers.get(decision.pop("exchange"), [])
    return sorted(everything, key=lambda decision: str(decision["time"]), reverse=True)


async def _ask(socket: Path, path: str) -> dict[str, Any]:
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(socket)), timeout=_TIMEOUT
            ) as session,
            session.get(f"http://worker{path}") as response,
        ):
            response.raise_for_status()
            return dict(await response.json())
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        log.warning("a worker does not answer: %s", type(error).__name__)
        return {}
