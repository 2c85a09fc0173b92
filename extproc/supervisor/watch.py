"""Notices that files change: replaced, written in place, or behind a link that moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

_POLL: Final = 0.5
"""Seconds. Asking for the state of a few files works on every file system, notifications do not."""

_State = tuple[tuple[int, int, int] | None, ...]


class Watch:
    """Watches the files that `paths` returns now; who it is made by has read them."""

    def __init__(self, paths: Callable[[], Iterable[Path]], poll: float = _POLL) -> None:
        self._paths = paths
        self._poll = poll
        self._seen = self._state()

    def seen(self) -> None:
        """Take the files as they are now for known."""
        self._seen = self._state()

    async def changed(self) -> None:
        """Return when a file is another than at the last time, and no longer being written."""
        before = self._seen
        while True:
            await asyncio.sleep(self._poll)
            now = self._state()
            if now == before != self._seen:
                self._seen = now
                return
            before = now

    def _state(self) -> _State:
        return tuple(map(_of, self._paths()))


def _of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
