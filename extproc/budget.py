"""The time that filters and the decision of one request may take together."""

from __future__ import annotations

from types import TracebackType

from extproc.deadlines import Deadline


class Budget(Deadline):
    """Seconds that are spent within `with`; what runs outside, such as an agent, costs nothing.

    Raises TimeoutError within once nothing is left. It is not nested.
    """

    __slots__ = ()

    def shrink(self, left: float) -> None:
        """Leave no more than that: somebody else has spent the rest."""
        self.seconds = min(self.seconds, left)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds = max(0.0, self.left)
        Deadline.__exit__(self, kind, error, trace)
