"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
from typing import Final

LARGE: Final = 4 * 2**20
"""Bytes of a message from which it is worth the millisecond or two that it takes."""

# glibc's alone (malloc_trim(3)); others give back by themselves, or not at all.
_trim: Final = getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back() -> None:
    """Give back what is free.

    gRPC receives a message in pieces of some KiB. Those of a large one are free once it is whole,
    but would be held beside all that it is read into. (All threads wait meanwhile that need memory:
    it is no work for one of its own.)
    """
    if _trim is not None:
        _trim(0)
