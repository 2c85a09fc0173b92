"""Notices that files change: replaced, written in place, or behind a link that moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

_POLL: Final = 0.2
"""Seconds. Asking for the state of a few files works on every file system, notifications do not."""

_State = tuple[int, int, int] | None


class Watch:
    """Watches the files that `paths` returns now; who it is made by has read them."""

    def __init__(self, paths: Callable[[], Iterable[Path]], poll: float = _POLL) -> None:
        self._paths = paths
        self._poll = poll
        self._seen = self._states()

    def seen(self) -> None:
        """Take the files as they are now for known."""
        self._seen = self._states()

    async def changed(self) -> None:
        """Return when a file is another than at the last time, and no longer being written.

        One that was not watched until now is known.
        """
        before = self._states()
        self._seen = before | {path: self._seen[path] for path in before.keys() & self._seen}
        while True:
            await asyncio.sleep(self._poll)
            now = self._states()
            if now == before != self._seen:
                self._seen = now
                return
            before = now

    def _states(self) -> dict[Path, _State]:
        return {path: _of(path) for path in self._paths()}


def _of(path: Path) -> _State:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
