"""Calls that are spans."""

from __future__ import annotations

from dataclasses import dataclass, replace

from extproc.calls import Call, Caller, CallFailed, Response
from extproc.names import HEADER_TRACEPARENT
from extproc.spans import Attributes, Tracer, current_traceparent

_CLIENT_ERROR = 400


@dataclass(frozen=True, slots=True)
class TracedCaller:
    """Makes each call in a span, under the one that is current; outside of one it only calls."""

    caller: Caller
    tracer: Tracer
    name: str
    attributes: Attributes

    async def __call__(self, call: Call) -> Response:
        """Return the answer. Raises `CallFailed`."""
        parent = current_traceparent()
        if parent is None:
            return await self.caller(call)
        with self.tracer.span(self.name, parent, self.attributes, "client") as span:
            told = (*call.headers, (HEADER_TRACEPARENT, span.traceparent))
            try:
                response = await self.caller(replace(call, headers=told))
            except CallFailed as error:
                span.set({"error.type": "timeout" if error.timed_out else "no_answer"})
                span.fail("no answer in time" if error.timed_out else "no whole answer")
                raise
            span.set({"http.response.status_code": response.status})
            if response.status >= _CLIENT_ERROR:
                span.set({"error.type": str(response.status)})
                span.fail("the answer is an error")
            return response
