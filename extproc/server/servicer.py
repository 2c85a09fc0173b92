"""The driver: the only place where the stream machine and the pipeline meet."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

import grpc.aio

from extproc.deadlines import Deadline
from extproc.errors import Reject, UnsupportedGateway
from extproc.http import NO_MUTATIONS, HttpRequest
from extproc.names import HEADER_REQUEST_ID, HEADER_TRACEPARENT
from extproc.pipeline import Pipeline
from extproc.plan import FilterRecord
from extproc.recording import Outcome, Record, Recorder, outcome_of
from extproc.request_span import close
from extproc.runtime import Listener
from extproc.server.answers import NOTHING, AnswerStream, pass_on, read
from extproc.server.wire.requests import MalformedMessage
from extproc.server.wire.responses import encode
from extproc.spans import Span
from extproc.stream.commands import Command, Decide, Finish, Respond, Screen
from extproc.stream.events import (
    BodyMode,
    Decided,
    ResponseHeaders,
    Result,
    Screened,
    Unfinished,
)
from extproc.stream.machine import ProtocolViolation, StreamMachine

log = logging.getLogger(__name__)

_UNKNOWN: Final = Result(NO_MUTATIONS)
_GOES_ON: Final = Screened(None)
_OF_ANSWERS: Final = BodyMode.FULL_DUPLEX_STREAMED
"""How the filter of answers sends them; in any other mode they only pass by."""


class Servicer:
    """Serves `ExternalProcessor/Process`. Assign `pipeline` to swap it: streams keep theirs."""

    def __init__(self, pipeline: Pipeline, recorder: Recorder) -> None:
        self._current = _Serving(pipeline)
        self._recorder = recorder
        self._streams = 0

    @property
    def pipeline(self) -> Pipeline:
        """What new streams are decided by."""
        return self._current.pipeline

    @pipeline.setter
    def pipeline(self, pipeline: Pipeline) -> None:
        self._current = _Serving(pipeline)

    @property
    def older_streams(self) -> int:
        """How many streams run that began with an earlier pipeline."""
        return self._streams - self._current.streams

    async def process(self, _messages: object, context: Any) -> bytes:  # noqa: ANN401 - grpc is untyped
        """Serve one stream, that is one HTTP request; return its last message.

        To gRPC the method is one that answers once: so the last message and the status are one
        operation. It costs a seventh less than writing the one and returning for the other.
        """
        serving = self._current
        stream = _Stream(serving.pipeline, self._recorder, context)
        serving.streams += 1
        self._streams += 1
        try:
            return await stream.serve()
        except (MalformedMessage, ProtocolViolation) as error:
            log.warning("stream aborted: %s", error)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not an ext_proc stream")
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the stream stood still")
        finally:
            serving.streams -= 1
            self._streams -= 1
        return NOTHING  # pragma: no cover - `abort` raises


class _Serving:
    """A pipeline, and how many streams run by it."""

    __slots__ = ("pipeline", "streams")

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.streams = 0


class _Stream:
    def __init__(self, pipeline: Pipeline, recorder: Recorder, context: Any) -> None:  # noqa: ANN401 - grpc is untyped
        self._pipeline = pipeline
        self._recorder = recorder
        self._context = context
        self._machine = StreamMachine(pipeline.runtime.limits.max_request_bytes)
        self._admitted: Listener | None = None
        self._patience = Deadline(pipeline.patience)

    async def serve(self) -> bytes:
        event = await read(self._context, self._patience)
        if isinstance(event, ResponseHeaders) and event.body_mode is _OF_ANSWERS:
            return await self._serve_answer(event)
        while event is not None:
            command = self._machine.receive(event)
            if isinstance(command, Screen):
                command = self._screen(command.request)
            if isinstance(command, Decide):
                command = await self._decide(command.request)
            message = encode(command)
            if self._machine.done:
                return message
            await self._context.write(message)
            event = await read(self._context, self._patience)
        return NOTHING

    async def _serve_answer(self, first: ResponseHeaders) -> bytes:
        try:
            answering = self._pipeline.answering(first)
        except UnsupportedGateway as error:
            log.warning("%s", error.message)
            return encode(Respond(error.reject(), ""))
        if answering is None:
            return await pass_on(self._context, first)
        return await AnswerStream(answering, self._recorder, self._context).serve(first)

    def _screen(self, request: HttpRequest) -> Command:
        screened = self._pipeline.screen(request)
        if not isinstance(screened, Reject):
            self._admitted = screened
            return self._machine.receive(_GOES_ON)
        self._recorder.begin()
        self._record(request, Result(screened))
        return self._machine.receive(Screened(screened))

    async def _decide(self, request: HttpRequest) -> Command:
        if self._pipeline.takes_over(request):
            readdressed = await self._pipeline.readdress(request)
            return self._machine.receive(Decided(readdressed))
        result: Result | None = None
        filters: list[FilterRecord] = []
        self._recorder.begin()
        with self._pipeline.span(request, self._gateway_span()) as span:
            try:
                parent = span.traceparent
                result = await self._pipeline.run(request, filters, parent, self._admitted)
                following = self._machine.receive(Decided(result.told, result.metadata))
                if isinstance(following, Finish):
                    await self._context.write(encode(following))
                    result = await following.work.finish()
                    following = self._machine.receive(Decided(result.told, result.metadata))
            finally:
                self._record(request, result, filters, span)
        return following

    def _gateway_span(self) -> str | None:
        """Return the `traceparent` of the request as the gateway traces it, if it does."""
        for name, value in self._context.invocation_metadata() or ():
            if name == HEADER_TRACEPARENT:
                return str(value)
        return None

    def _record(
        self,
        request: HttpRequest,
        result: Result | None,
        filters: Iterable[FilterRecord] = (),
        span: Span | None = None,
    ) -> None:
        """Record the end of a request; None is one that the client gave up."""
        request_id = request.headers.get(HEADER_REQUEST_ID) or ""
        known = result or _UNKNOWN
        answer, decision = known.answer, known.decision
        listener = decision.listener if decision else self._pipeline.listener_name(request)
        if result is None or isinstance(answer, Unfinished):
            outcome = Outcome.CANCELLED
        else:
            outcome = outcome_of(answer)
        more = known.exchange, known.captured
        record = Record(request_id, listener, outcome, decision, tuple(filters), *more)
        self._recorder.end(record)
        if span is not None and span.is_recording:
            close(span, record, answer)
