"""Which agents have no healthy host, as far as Envoy has told."""

from __future__ import annotations

from collections.abc import Sequence


class Availability:
    """What is known now; all agents are taken as healthy until something else is said."""

    def __init__(self) -> None:
        self.down: frozenset[str] = frozenset()
        """Ids of agents without a healthy host. Assigned as a whole."""

    def of(self, agents: Sequence[str]) -> tuple[str, ...]:
        """Return those of `agents` that are not down, or all where none is left."""
        up = tuple(agent for agent in agents if agent not in self.down)
        return up or tuple(agents)
