"""Which agents have no healthy host: Envoy knows, and the workers are told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Final

from extproc.config.model.root import Config
from extproc.supervisor import control
from extproc.supervisor.control import WorkerFailed
from extproc.supervisor.envoy import EnvoyAdmin
from extproc.supervisor.figures import AgentFigures
from extproc.supervisor.reload import Reloads
from extproc.supervisor.stack import Stack

log = logging.getLogger(__name__)

_INTERVAL: Final = 1.0


class Health:
    """Tells the workers of one stack, while the configuration in force asks for it."""

    def __init__(self, stack: Stack, admin: EnvoyAdmin, reloads: Reloads) -> None:
        self._stack = stack
        self._admin = admin
        self._reloads = reloads
        self._down: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Look each second, until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL)
            if self._reloads.config.orchestrator.avoid_unavailable:
                await self._look()

    async def _look(self) -> None:
        try:
            figures = await self._admin.agent_figures()
        except OSError:
            # It is down itself, and nothing is decided.
            return
        down = agents_down(self._reloads.config, figures)
        for agent in sorted(down - self._down):
            log.warning("agent %s has no healthy host: it is not chosen until it has one", agent)
        for agent in sorted(self._down - down):
            log.info("agent %s has healthy hosts again", agent)
        # A worker that is new knows of none.
        if down or self._down:
            try:
                await control.to_all(
                    self._stack.serving(), lambda socket: control.tell_down(socket, down)
                )
            except WorkerFailed as error:
                log.warning("%s", error)
                return  # Some may not have heard of it: all are told again.
        self._down = down


def agents_down(config: Config, figures: Iterable[AgentFigures]) -> frozenset[str]:
    """Return the agents none of whose hosts is healthy. Variants of weight 0 do not count."""
    weights: Mapping[tuple[str, str], int] = {
        (agent.id, variant.id): variant.weight
        for agent in config.agents
        for variant in agent.variants or ()
    }
    counted = [each for each in figures if weights.get((each.agent, each.variant), 1)]
    known = {each.agent for each in counted if each.total}
    return frozenset(known - {each.agent for each in counted if each.healthy})
