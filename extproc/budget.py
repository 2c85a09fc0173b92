"""The time that filters and the decision of one request may take together."""

from __future__ import annotations

from types import TracebackType

from extproc.deadlines import Deadline


class Budget:
    """Seconds that are spent within `with`; what runs outside, such as an agent, costs nothing.

    Raises TimeoutError within once nothing is left. It is not nested.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: Deadline | None = None

    @property
    def left(self) -> float:
        """Seconds that are left now."""
        return self._seconds if self._running is None else self._running.left

    def shrink(self, left: float) -> None:
        """Leave no more than that: somebody else has spent the rest."""
        self._seconds = min(self._seconds, left)

    def __enter__(self) -> None:
        self._running = Deadline(max(0.0, self._seconds))
        self._running.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        running, self._running = self._running, None
        if running is not None:
            self._seconds = running.left
            running.__exit__(kind, error, trace)
