"""Memory that was freed, given back to the system."""

from __future__ import annotations

import asyncio
import ctypes
from typing import Final

LARGE: Final = 4 * 2**20
"""Bytes of a message from which it is worth the millisecond or two that it takes, at once."""
NOTICED: Final = 2**20
"""Bytes of a message from which what reading it takes is given back a while later."""
LATER: Final = 1.0
"""Seconds: who sends one large message often sends more, and what is held is fast to use again."""

# glibc's alone (malloc_trim(3)); others give back by themselves, or not at all.
_trim: Final = getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back() -> None:
    """Give back what is free.

    All threads wait meanwhile that need memory: so it is no work for one of its own.
    """
    if _trim is not None:
        _trim(0)


class Heap:
    """The heap of a process that reads messages on its event loop."""

    def __init__(self) -> None:
        self._waits = False

    def received(self, size: int) -> None:
        """Give back what a message of so many bytes leaves, if they are many.

        gRPC receives one in pieces of some KiB. Those of a large one are free once it is whole, but
        would be held beside all that it is read into.
        """
        if size >= LARGE:
            give_back()
        if size >= NOTICED and not self._waits:
            self._waits = True
            asyncio.get_running_loop().call_later(LATER, self._rest)

    def _rest(self) -> None:
        self._waits = False
        give_back()
