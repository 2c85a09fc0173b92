"""Asks one model server, and learns what it cannot take."""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final

from extproc.calls import Caller, Response, Target
from extproc.config.model.orchestrator import ModelServer
from extproc.names import PATH_CHAT
from extproc.orchestrator.client import SUCCESS, ApiClient
from extproc.orchestrator.model.request import MAX_TOKENS, RESPONSE_FORMAT, TEMPERATURE

log = logging.getLogger(__name__)

_REFUSED: Final = frozenset({400, 404, 422})
"""Answers to a member that the server does not know, among other things."""


class ChatServer:
    """An OpenAI-compatible server. May be asked by many tasks at once."""

    def __init__(
        self,
        config: ModelServer,
        target: Target,
        caller: Caller,
        *,
        max_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        self._name = target.name
        self._clock = clock
        self._client = ApiClient(
            config,
            target,
            caller,
            kind="model server",
            path=PATH_CHAT,
            max_bytes=max_bytes,
            clock=clock,
        )
        self._may_leave_out = {TEMPERATURE, MAX_TOKENS}
        if config.structured_output == "auto":
            self._may_leave_out.add(RESPONSE_FORMAT)
        self._without: frozenset[str] = frozenset()
        if config.structured_output == "none":
            self._without = frozenset({RESPONSE_FORMAT})

    async def ask(self, build: Callable[[AbstractSet[str]], bytes]) -> bytes:
        """Return the body of a 2xx answer. Raises `OrchestratorFailed`.

        `build` makes the request without the members that the server does not take. All attempts
        share one deadline.
        """
        deadline = self._clock() + self._client.timeout
        without = self._without
        with self._client.breaker.guard():
            while True:
                response = await self._client.post(build(without), deadline)
                if response.status in SUCCESS:
                    self._remember(without)
                    return response.body
                refused = self._refused(response) - without
                if not refused:
                    raise self._client.failure(response.status)
                without |= refused

    def _refused(self, response: Response) -> AbstractSet[str]:
        """Return the members to leave out: those the answer names, else the likeliest."""
        if response.status not in _REFUSED:
            return frozenset()
        named = {name for name in self._may_leave_out if name.encode() in response.body}
        return named or self._may_leave_out & {RESPONSE_FORMAT}

    def _remember(self, without: AbstractSet[str]) -> None:
        """A request that succeeded proves that the members left out of it were the fault."""
        for name in without - self._without:
            log.warning("model server %s does not take %s", self._name, name)
        self._without |= without
