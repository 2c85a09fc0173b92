"""Stops asking a server that does not answer, for a while."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from extproc.errors import OrchestratorFailed

log = logging.getLogger(__name__)

FAILURES: Final = 5
"""In a row, before the breaker opens."""

FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 30.0
"""Seconds without a call: after the opening, and at most, as each failed probe doubles it."""


class ServerDown(OrchestratorFailed):
    """A server gave no answer, or one that says that it cannot serve anybody now."""


class Breaker:
    """Lets calls to one server through until they fail in a row; then one after each pause.

    `clock` returns seconds and never goes back. `server` names it in the log.
    """

    def __init__(self, server: str, clock: Callable[[], float]) -> None:
        self._server = server
        self._clock = clock
        self._failures = 0
        self._pause = 0.0
        self._resumes = 0.0
        self._probing = False

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Surround a call, which raises `ServerDown` where the server failed.

        Raises `OrchestratorFailed` without making the call while the breaker is open. Any other
        exception, cancellation too, says nothing about the server.
        """
        probe = self._admit()
        try:
            yield
        except ServerDown as error:
            self._failed(error, probe=probe)
            raise
        else:
            self._succeeded()
        finally:
            if probe:
                self._probing = False

    def _admit(self) -> bool:
        """Return whether the call is a probe."""
        if not self._pause:
            return False
        if self._probing or self._clock() < self._resumes:
            raise OrchestratorFailed("the server has failed and is not asked for a while")
        self._probing = True
        return True

    def _succeeded(self) -> None:
        if self._pause:
            log.warning("%s answers again", self._server)
        self._failures = 0
        self._pause = 0.0

    def _failed(self, error: ServerDown, *, probe: bool) -> None:
        """Open, or stay open longer; calls from before the opening change nothing more."""
        self._failures += 1
        if probe:
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        elif self._failures == FAILURES:
            self._pause = FIRST_PAUSE
        else:
            return
        self._resumes = self._clock() + self._pause
        log.warning("%s: %s; not asked for %g s", self._server, error, self._pause)
