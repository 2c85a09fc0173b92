from __future__ import annotations

import threading

from extproc.off_loop import LARGE, off_loop


async def test_only_much_work_gets_a_thread() -> None:
    here = threading.get_ident()
    assert await off_loop(LARGE, threading.get_ident) == here
    assert await off_loop(LARGE + 1, threading.get_ident) != here
