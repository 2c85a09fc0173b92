"""What Envoy says on an ext_proc stream, and what the pipeline decided: the machine's inputs."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from extproc.capturing import NOTHING, Captured
from extproc.errors import Reject
from extproc.http import NO_METADATA, Answer, Headers, Metadata, Mutations
from extproc.names import HEADER_ERROR, HEADER_PREFIX
from extproc.plan import Decision, FilterRecord


class BodyMode(enum.IntEnum):
    """How Envoy sends request bodies (`BodySendMode` of the ext_proc filter)."""

    NONE = 0
    STREAMED = 1
    BUFFERED = 2
    BUFFERED_PARTIAL = 3
    FULL_DUPLEX_STREAMED = 4
    GRPC = 5


class RequestHeaders(NamedTuple):
    """The request's headers. `body_mode` is what Envoy announced, None where it did not."""

    headers: Headers
    end_of_stream: bool
    body_mode: BodyMode | None = None


class RequestBody(NamedTuple):
    """The whole body: in BUFFERED mode one message is all, whatever its end-of-stream flag."""

    body: bytes


@dataclass(frozen=True, slots=True)
class RequestTrailers:
    """The request's trailers came."""


@dataclass(frozen=True, slots=True)
class ResponseHeaders:
    """Response headers: of an answer to be filtered, or of another filter's that only pass by.

    `body_mode` is what Envoy announced for the response's body, None where it did not. `details` is
    Envoy's reason for the answer, and `exchange` what the request's side left for the filters of
    its answer; None where the gateway does not send them.
    """

    headers: Headers = field(default_factory=Headers)
    end_of_stream: bool = False
    body_mode: BodyMode | None = None
    details: str | None = None
    exchange: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseBody:
    """A piece of the response's body."""

    body: bytes = field(default=b"", repr=False)
    end_of_stream: bool = False


@dataclass(frozen=True, slots=True)
class ResponseTrailers:
    """The response's trailers came."""


class Screened(NamedTuple):
    """The pipeline's word on the headers alone: a refusal, or None to wait for the body."""

    reject: Reject | None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Earlier agents of the plan are yet to run, for `timeout` seconds at the most.

    `finish` runs them, once.
    """

    timeout: float
    finish: Callable[[], Awaitable[Result]]


class Result(NamedTuple):
    """What the pipeline came to: what Envoy is told, and what is behind it, to be recorded.

    `decision` is None where the request did not get that far. `filters` are those that were asked,
    in order. `metadata`, beside that of a verdict in the answer, is for the access log and for the
    filters of the answer, who know the request by the id `exchange`, empty where there are none.
    `captured` is what is to be kept of its text. Of a request that is only `observed` nothing is
    enforced.
    """

    answer: Mutations | Reject | Answer | Unfinished
    decision: Decision | None = None
    filters: tuple[FilterRecord, ...] = ()
    metadata: Metadata = NO_METADATA
    exchange: str = ""
    captured: Captured = NOTHING
    observed: bool = False

    @property
    def told(self) -> Mutations | Reject | Answer | Unfinished:
        """What Envoy is told: where it only observes, headers that change nothing."""
        if not self.observed:
            return self.answer
        if isinstance(self.answer, Reject):
            return Mutations(set_headers=((HEADER_ERROR, self.answer.code),))
        pairs = self.answer.headers if isinstance(self.answer, Mutations) else ()
        return Mutations(set_headers=tuple(p for p in pairs if p[0].startswith(HEADER_PREFIX)))


class Decided(NamedTuple):
    """The pipeline's outcome for the `Decide` or `Finish` before it."""

    outcome: Mutations | Reject | Answer | Unfinished
    metadata: Metadata = NO_METADATA


Event = (
    RequestHeaders
    | RequestBody
    | RequestTrailers
    | ResponseHeaders
    | ResponseBody
    | ResponseTrailers
    | Screened
    | Decided
)
