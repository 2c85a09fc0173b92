"""Deadlines of waits that nearly always end early: all of an event loop share one timer.

A timer of its own for each wait (`asyncio.timeout`) costs more than what many requests wait for.
"""

from __future__ import annotations

import asyncio
import math
import threading
from types import TracebackType
from typing import Final

_APART: Final = 0.005
"""Seconds between two looks at what is overdue: many deadlines that pass together are one look."""


class Deadline:
    """Raises TimeoutError where what is within it still waits after `seconds`.

    As `asyncio.timeout`, by cancelling the task; for `with`, again and again, in the task that
    enters it first.
    """

    __slots__ = ("_cancelling", "_overdue", "_task", "_watch", "seconds", "until")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until = 0.0
        """When it passes, by the loop's clock; 0 where it is not entered."""
        self._overdue = False
        self._watch: _Watch | None = None

    @property
    def left(self) -> float:
        """Seconds until then, less than 0 where it has passed; all where it is not entered."""
        return self.until - self._watch.time() if self._watch and self.until else self.seconds

    def __enter__(self) -> None:
        watch = self._watch or self._bind()
        self.until = until = watch.time() + self.seconds
        watch.running.add(self)
        if until < watch.next:
            watch.look_at(until)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watch is not None:
            self._watch.running.discard(self)
        self.until = 0.0
        if self._overdue:
            self._overdue = False
            # Where somebody else has cancelled the task too, it is to end.
            if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def _bind(self) -> _Watch:
        watch = _of_loop()
        task = asyncio.current_task(watch.loop)
        if task is None:
            raise RuntimeError("only a task can be told that it is late")
        self._watch = watch
        self._task = task
        self._cancelling = task.cancelling()
        return watch

    def expire(self) -> None:
        """End the wait: the deadline has passed."""
        self._overdue = True
        self._task.cancel()


class _Watch:
    """The running deadlines of one event loop, and a timer that is never later than the first."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.time = loop.time
        self.running: set[Deadline] = set()
        self.next = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def look_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.next = when
        self._timer = self.loop.call_at(when, self._look)

    def _look(self) -> None:
        self.next, self._timer = math.inf, None
        now = self.time()
        for overdue in [each for each in self.running if each.until <= now]:
            self.running.discard(overdue)
            overdue.expire()
        if self.running:
            self.look_at(max(min(each.until for each in self.running), now + _APART))


class _OfThread(threading.local):
    watch: _Watch | None = None


_of_thread: Final = _OfThread()


def _of_loop() -> _Watch:
    loop = asyncio.get_running_loop()
    watch = _of_thread.watch
    if watch is None or watch.loop is not loop:
        watch = _of_thread.watch = _Watch(loop)
    return watch
