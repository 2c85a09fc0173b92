"""Filters that are HTTP services: `POST <url><request path>` with the body as it stands."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from extproc.calls import Call, Caller, CallFailed, Response, Target
from extproc.filters.api import KEEP, Change, Deny, FilterError, Form, Subject, Verdict
from extproc.filters.replies import refusal_text

_TYPES: Final = {
    Form.JSON: "application/json",
    Form.EVENTS: "text/event-stream",
    Form.OTHER: "application/octet-stream",
}
_SUCCESS: Final = range(200, 300)
_REFUSAL: Final = range(400, 500)


class HttpFilter:
    """Asks one service. 2xx brings the new body, 4xx refuses, anything else is a failure.

    An empty answer leaves a body as it is; of events nothing is left then, unless it is a 204.
    `max_bytes` is the most that is read of an answer, `timeout` seconds that it may take.
    """

    def __init__(self, target: Target, caller: Caller, *, timeout: float, max_bytes: int) -> None:
        self._target = target
        self._caller = caller
        self._timeout = timeout
        self._max_bytes = max_bytes

    async def apply(self, subject: Subject, /) -> Verdict:
        """Ask the service. Raises `FilterError`."""
        call = Call(
            target=self._target,
            path=self._target.origin.path_prefix + subject.api,
            body=subject.body,
            timeout=self._timeout,
            max_bytes=self._max_bytes,
            headers=(("content-type", _TYPES[subject.form]), *subject.headers),
        )
        try:
            response = await self._caller(call)
        except CallFailed as error:
            raise FilterError(str(error), timed_out=error.timed_out) from None
        return _verdict(subject, response)


def _verdict(subject: Subject, response: Response) -> Verdict:
    if response.status in _REFUSAL:
        return Deny(refusal_text(response.body, subject.phase), response.status)
    if response.status not in _SUCCESS:
        raise FilterError(f"it answered {response.status}")
    body = response.body
    if response.status == HTTPStatus.NO_CONTENT or body == subject.body:
        return KEEP
    if not body and subject.form is not Form.EVENTS:
        return KEEP
    return Change(body)
