"""The time that filters and the decision of one request may take together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Budget:
    """Seconds that may be spent. What runs outside of `spend`, such as an agent, costs nothing."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._deadline: float | None = None

    @property
    def left(self) -> float:
        """Seconds that are left now."""
        if self._deadline is None:
            return self._left
        return self._deadline - asyncio.get_running_loop().time()

    def shrink(self, left: float) -> None:
        """Leave no more than that: somebody else has spent the rest."""
        self._left = min(self._left, left)

    @asynccontextmanager
    async def spend(self) -> AsyncIterator[None]:
        """Count what runs within; raises TimeoutError once nothing is left. It is not nested."""
        clock = asyncio.get_running_loop().time
        self._deadline = clock() + max(0.0, self._left)
        try:
            async with asyncio.timeout_at(self._deadline):
                yield
        finally:
            self._left, self._deadline = self._deadline - clock(), None
