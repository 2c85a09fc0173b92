"""Calls of one OpenAI-compatible server: deadline, one retry, and a breaker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from extproc.calls import Call, Caller, CallFailed, Response, Target
from extproc.config.model.orchestrator import Server
from extproc.errors import OrchestratorFailed
from extproc.orchestrator.breaker import Breaker, ServerDown

SUCCESS: Final = range(200, 300)

_ABOUT_THE_REQUEST: Final = frozenset({400, 413, 422})
"""They speak of one conversation, which must not close the server to all others."""


class ApiClient:
    """Posts to one path of a server, as `kind` in errors. May be used by many tasks at once.

    `max_bytes` is the most that is read of an answer. `breaker` is for the caller to put around
    what counts as one call.
    """

    def __init__(  # noqa: PLR0913 - by name; they come from one place
        self,
        config: Server,
        target: Target,
        caller: Caller,
        *,
        kind: str,
        path: str,
        max_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        self.kind = kind
        self.timeout = config.timeout.total_seconds()
        self.breaker = Breaker(f"{kind} {target.name}", clock)
        self._target = target
        self._caller = caller
        self._path = target.origin.path_prefix + path
        self._max_bytes = max_bytes
        self._clock = clock
        self._headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
        if config.access_key:
            key = config.access_key.get_secret_value()
            self._headers += (("authorization", f"Bearer {key}"),)

    async def post(self, body: bytes, deadline: float) -> Response:
        """Return the answer, whatever its status; try again once where the connection failed.

        `deadline` is a time of the clock, for both attempts together. Raises `ServerDown`.
        """
        for attempt in range(2):
            timeout = deadline - self._clock()
            if timeout <= 0:
                break
            call = Call(
                target=self._target,
                path=self._path,
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
                    raise ServerDown(f"the {self.kind} gave no answer") from error
        raise ServerDown(f"the {self.kind} did not answer in time")

    def failure(self, status: int) -> OrchestratorFailed:
        """Return the error for a status that is no success."""
        kind = OrchestratorFailed if status in _ABOUT_THE_REQUEST else ServerDown
        return kind(f"the {self.kind} answered {status}")
