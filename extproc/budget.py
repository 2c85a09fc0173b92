"""The time that filters and the decision of one request may take together."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from types import TracebackType


class Budget:
    """Seconds that may be spent. What runs outside of `spend`, such as an agent, costs nothing.

    `seconds` were left when nothing ran; something runs until the `deadline` of the loop's clock.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.deadline: float | None = None

    @property
    def left(self) -> float:
        """Seconds that are left now."""
        if self.deadline is None:
            return self.seconds
        return self.deadline - asyncio.get_running_loop().time()

    def shrink(self, left: float) -> None:
        """Leave no more than that: somebody else has spent the rest."""
        self.seconds = min(self.seconds, left)

    def spend(self) -> AbstractAsyncContextManager[None]:
        """Count what runs within; raises TimeoutError once nothing is left. It is not nested."""
        return _Spending(self)


class _Spending(AbstractAsyncContextManager[None]):
    # Each request spends: a class costs half of what a generator would.
    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._clock = asyncio.get_running_loop().time
        self._deadline = self._clock() + max(0.0, budget.left)
        self._timeout = asyncio.timeout_at(self._deadline)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()
        self._budget.deadline = self._deadline

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._budget.deadline = None
        self._budget.seconds = self._deadline - self._clock()
        await self._timeout.__aexit__(kind, error, trace)
