"""Asks one model server: deadline, one retry, a breaker, and what the server cannot take."""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final

from extproc.calls import Call, Caller, CallFailed, Response, Target
from extproc.config.model.orchestrator import ModelServer
from extproc.errors import OrchestratorFailed
from extproc.names import PATH_CHAT
from extproc.orchestrator.breaker import Breaker, ServerDown
from extproc.orchestrator.model.request import MAX_TOKENS, RESPONSE_FORMAT, TEMPERATURE

log = logging.getLogger(__name__)

_SUCCESS: Final = range(200, 300)
_REFUSED: Final = frozenset({400, 404, 422})
"""Answers to a member that the server does not know, among other things."""

_ABOUT_THE_REQUEST: Final = frozenset({400, 413, 422})
"""They speak of one conversation, which must not close the server to all others."""


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
        self._target = target
        self._caller = caller
        self._max_bytes = max_bytes
        self._clock = clock
        self._timeout = config.timeout.total_seconds()
        self._headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
        if config.access_key:
            key = config.access_key.get_secret_value()
            self._headers += (("authorization", f"Bearer {key}"),)
        self._breaker = Breaker(f"model server {target.name}", clock)
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
        deadline = self._clock() + self._timeout
        without = self._without
        with self._breaker.guard():
            while True:
                response = await self._post(build(without), deadline)
                if response.status in _SUCCESS:
                    self._remember(without)
                    return response.body
                refused = self._refused(response) - without
                if not refused:
                    raise _failure(response.status)
                without |= refused

    async def _post(self, body: bytes, deadline: float) -> Response:
        """Send a request, and once more where the connection failed."""
        for attempt in range(2):
            timeout = deadline - self._clock()
            if timeout <= 0:
                break
            call = Call(
                target=self._target,
                path=self._target.origin.path_prefix + PATH_CHAT,
                body=body,
                timeout=timeout,
                max_bytes=self._max_bytes,
                headers=self._headers,
            )
            try:
                return await self._caller(call)
            except CallFailed as error:
                if error.timed_out:
                    break
                if attempt:
                    raise ServerDown("the model server gave no answer") from error
        raise ServerDown("the model server did not answer in time")

    def _refused(self, response: Response) -> AbstractSet[str]:
        """Return the members to leave out: those the answer names, else the likeliest."""
        if response.status not in _REFUSED:
            return frozenset()
        named = {name for name in self._may_leave_out if name.encode() in response.body}
        return named or self._may_leave_out & {RESPONSE_FORMAT}

    def _remember(self, without: AbstractSet[str]) -> None:
        """A request that succeeded proves that the members left out of it were the fault."""
        for name in without - self._without:
            log.warning("model server %s does not take %s", self._target.name, name)
        self._without |= without


def _failure(status: int) -> OrchestratorFailed:
    kind = OrchestratorFailed if status in _ABOUT_THE_REQUEST else ServerDown
    return kind(f"the model server answered {status}")
