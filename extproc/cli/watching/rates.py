"""How much came between two looks."""

from __future__ import annotations

from collections.abc import Iterator

from extproc.cli.watching.look import Look

Key = tuple[str, ...]


class Rates:
    """Counts by the second, from the look `before` to `now`; without one there is no rate."""

    def __init__(self, now: Look, before: Look | None) -> None:
        self._now = dict(_counts(now))
        self._before = dict(_counts(before)) if before else {}
        self._seconds = now.at - before.at if before else 0.0

    def of(self, *key: str) -> float | None:
        """Return the rate of a count; None where it is not known, or began anew."""
        now, before = self._now.get(key), self._before.get(key)
        if now is None or before is None or now < before or self._seconds <= 0:
            return None
        return (now - before) / self._seconds


def _counts(look: Look) -> Iterator[tuple[Key, float | None]]:
    yield ("requests",), look.requests
    for listener in look.listeners:
        yield ("listener", listener.name), listener.requests
    for agent in look.agents:
        yield ("agent", agent.id, agent.variant), agent.requests
        yield ("errors", agent.id, agent.variant), agent.errors
    for each in look.filters:
        yield ("filter", each.id), each.calls
