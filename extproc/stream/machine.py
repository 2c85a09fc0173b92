"""The ext_proc stream of one request as a state machine without I/O.

    START     headers, end of stream     -> DECIDING   Decide
    START     headers, more to come      -> SCREENING  Screen
    START     response headers           -> RESPONSE   Reply     (an earlier filter answered)
    SCREENING nothing wrong so far       -> BODY       Reply
    SCREENING refused                    -> DONE       Respond   (spares the upload)
    BODY      body                       -> DECIDING   Decide
    BODY      trailers                   -> DECIDING   Decide    (no body at all)
    BODY      response headers           -> RESPONSE   Reply     (Envoy answered by itself)
    DECIDING  decided to go on           -> DONE       Reply
    DECIDING  decided to answer          -> DONE       Respond
    DECIDING  earlier agents are to run  -> FINISHING  Finish    (Envoy waits longer, once)
    FINISHING decided to go on           -> DONE       Reply
    FINISHING decided to answer          -> DONE       Respond
    RESPONSE  headers, body, trailers    -> RESPONSE   Reply
    any       a limit or setting broken  -> DONE       Respond

In DONE the stream is over: the driver ends it, so that a processor that dies later cuts no
response. An event that is not in the table raises `ProtocolViolation` and changes nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final

from extproc.errors import OuterloopError, Reject, RequestTooLarge, UnsupportedGateway
from extproc.http import NO_METADATA, Answer, Headers, HttpRequest, Metadata, Mutations
from extproc.stream.commands import Command, Decide, Finish, Reply, Respond, Screen, Slot
from extproc.stream.events import (
    BodyMode,
    Decided,
    Event,
    RequestBody,
    RequestHeaders,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseTrailers,
    Screened,
    Unfinished,
)


class State(enum.Enum):
    """Where a stream stands."""

    START = "start"
    SCREENING = "screening"
    BODY = "body"
    DECIDING = "deciding"
    FINISHING = "finishing"
    RESPONSE = "response"
    DONE = "done"

    # Each event is looked up by it: members are what they are, and the enum's own hash is not C.
    __hash__ = object.__hash__


class ProtocolViolation(Exception):
    """Envoy sent what cannot come now; the stream must be aborted, which fails closed."""


_RESPONSE_SLOTS: Final[Mapping[type[Event], Slot]] = MappingProxyType(
    {
        ResponseHeaders: Slot.RESPONSE_HEADERS,
        ResponseBody: Slot.RESPONSE_BODY,
        ResponseTrailers: Slot.RESPONSE_TRAILERS,
    }
)


_NO_REQUEST: Final = HttpRequest("", "", Headers())
_Take = Callable[["StreamMachine", Any], Command]


class StreamMachine:
    """One stream. Holds at most the request's headers and `max_request_bytes` of body."""

    def __init__(self, max_request_bytes: int) -> None:
        self._max_request_bytes = max_request_bytes
        self._request = _NO_REQUEST
        self._slot = Slot.REQUEST_HEADERS
        self.state = State.START

    @property
    def done(self) -> bool:
        """True once the stream has its last answer."""
        return self.state is State.DONE

    @property
    def path(self) -> str:
        """The request's path, empty until its headers came."""
        return self._request.path

    def receive(self, event: Event) -> Command:
        """Take one event and return the one command it asks for.

        Raises `ProtocolViolation` for an event that is not in the table.
        """
        take = self.TRANSITIONS[self.state].get(type(event))
        if take is None:
            raise ProtocolViolation(f"{type(event).__name__} in state {self.state.value}")
        try:
            return take(self, event)
        except OuterloopError as error:
            return self._finish(error.reject())

    def _request_headers(self, event: RequestHeaders) -> Command:
        get = event.headers.get
        self._request = HttpRequest(get(":method") or "", get(":path") or "", event.headers)
        if event.end_of_stream:
            return self._decide(Slot.REQUEST_HEADERS, b"")
        if event.body_mode not in {None, BodyMode.BUFFERED}:
            raise UnsupportedGateway(
                f"the gateway sends request bodies as {event.body_mode.name}; "
                "set request_body_mode: BUFFERED on its ext_proc filter"
            )
        self.state = State.SCREENING
        return Screen(self._request)

    def _screened(self, event: Screened) -> Command:
        if event.reject is not None:
            return self._finish(event.reject)
        self.state = State.BODY
        return Reply(Slot.REQUEST_HEADERS)

    def _request_body(self, event: RequestBody) -> Command:
        if len(event.body) > self._max_request_bytes:
            raise RequestTooLarge(f"the body is over {self._max_request_bytes} bytes")
        return self._decide(Slot.REQUEST_BODY, event.body)

    def _request_trailers(self, _event: RequestTrailers) -> Command:
        return self._decide(Slot.REQUEST_TRAILERS, b"")

    def _decide(self, slot: Slot, body: bytes) -> Command:
        self._slot = slot
        self.state = State.DECIDING
        headers = self._request
        return Decide(HttpRequest(headers.method, headers.target, headers.headers, body))

    def _decided(self, event: Decided) -> Command:
        outcome = event.outcome
        if not isinstance(outcome, Unfinished):
            return self._finish(outcome, event.metadata)
        if self.state is State.FINISHING:
            raise ProtocolViolation("Envoy's timeout can be extended only once")
        self.state = State.FINISHING
        return Finish(outcome)

    def _finish(
        self, outcome: Mutations | Reject | Answer, metadata: Metadata = NO_METADATA
    ) -> Command:
        self.state = State.DONE
        if isinstance(outcome, Mutations):
            return Reply(self._slot, outcome, metadata)
        return Respond(outcome, self.path, metadata)

    def _response(self, event: Event) -> Command:
        self.state = State.RESPONSE
        return Reply(_RESPONSE_SLOTS[type(event)])

    TRANSITIONS: ClassVar[Mapping[State, Mapping[type[Event], _Take]]] = MappingProxyType(
        {
            State.START: {RequestHeaders: _request_headers, ResponseHeaders: _response},
            State.SCREENING: {Screened: _screened},
            State.BODY: {
                RequestBody: _request_body,
                RequestTrailers: _request_trailers,
                ResponseHeaders: _response,
            },
            State.DECIDING: {Decided: _decided},
            State.FINISHING: {Decided: _decided},
            State.RESPONSE: {
                ResponseHeaders: _response,
                ResponseBody: _response,
                ResponseTrailers: _response,
            },
            State.DONE: {},
        }
    )
    """The events each state accepts, and what takes them."""
