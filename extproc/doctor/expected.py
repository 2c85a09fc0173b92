"""What is known of the listener that a gateway leads to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from extproc.config.model.listeners import Listener
from extproc.config.model.root import Config
from extproc.doctor.reply import Reply


@dataclass(frozen=True, slots=True)
class Expected:
    """What the file says, or the gateway itself; None: nobody said.

    `listener` is its name where the gateway must tell it from others. Answers of the agents in
    `filtered` pass output filters. `asks_servers`: a decision waits for a model or for filters.
    """

    agents: tuple[str, ...] = ()
    filtered: frozenset[str] = frozenset()
    listener: str | None = None
    max_request_bytes: int | None = None
    decision_timeout: float | None = None
    response_headers: Literal["none", "basic", "full"] | None = None
    observes: bool = False
    asks_servers: bool = False

    def listing(self, models: Reply) -> Expected:
        """Return this one with the agents that `GET /v1/models` lists, where there are none yet."""
        return self if self.agents else replace(self, agents=listed(models))


def from_config(config: Config, listener: Listener) -> Expected:
    """Return what a configuration, as `load` returns it, says of one of its listeners."""
    remote = {each.id for each in config.filters if each.type != "builtin"}
    filtered = frozenset(
        agent.id for agent in listener.agents if agent.output_filters or listener.output_filters
    )
    return Expected(
        agents=tuple(agent.id for agent in listener.agents),
        filtered=filtered,
        listener=listener.name if len(config.listeners) > 1 else None,
        max_request_bytes=config.limits.max_request_bytes,
        decision_timeout=listener.decision_timeout.total_seconds(),
        response_headers=config.observability.response_headers,
        observes=listener.mode == "observe",
        asks_servers=config.orchestrator.asked is not None
        or not remote.isdisjoint(listener.input_filters),
    )


def listed(models: Reply) -> tuple[str, ...]:
    """Return the agents of a listing that is the processor's; none where it is somebody else's."""
    data = models.document.get("data")
    if not models.succeeded or not isinstance(data, list):
        return ()
    return tuple(
        str(entry["id"])
        for entry in data
        if isinstance(entry, dict) and entry.get("owned_by") == "outerloop" and "id" in entry
    )
