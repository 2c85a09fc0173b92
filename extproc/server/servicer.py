"""The driver: the only place where the stream machine and the pipeline meet."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import grpc.aio

from extproc import heap
from extproc.deadlines import Deadline
from extproc.errors import Reject, UnsupportedGateway
from extproc.http import NO_MUTATIONS
from extproc.names import HEADER_REQUEST_ID, HEADER_TRACEPARENT
from extproc.pipeline import Pipeline
from extproc.plan import FilterRecord
from extproc.recording import Outcome, Record, Recorder, outcome_of
from extproc.request_span import close
from extproc.runtime import Listener
from extproc.server.answers import NOTHING, AnswerStream, pass_on, read
from extproc.server.wire import MalformedMessage, encode
from extproc.spans import Span
from extproc.stream.commands import Command, Decide, Finish, Reply, Respond, Screen
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
        self.pipeline = pipeline
        self._recorder = recorder
        self._running: Counter[Pipeline] = Counter()

    @property
    def older_streams(self) -> int:
        """How many streams run that began with an earlier pipeline."""
        return self._running.total() - self._running[self.pipeline]

    async def process(self, _messages: object, context: Any) -> bytes:  # noqa: ANN401 - grpc is untyped
        """Serve one stream, that is one HTTP request; return its last message.

        To gRPC the method is one that answers once: so the last message and the status are one
        operation. It costs a seventh less than writing the one and returning for the other.
        """
        pipeline = self.pipeline
        stream = _Stream(pipeline, self._recorder, context)
        self._running[pipeline] += 1
        try:
            return await stream.serve()
        except (MalformedMessage, ProtocolViolation) as error:
            log.warning("stream aborted: %s", error)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not an ext_proc stream")
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the stream stood still")
        finally:
            self._running[pipeline] -= 1
            if not self._running[pipeline]:
                del self._running[pipeline]
        return NOTHING  # pragma: no cover - `abort` raises


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
            message = encode(await self._perform(self._machine.receive(event)))
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

    async def _perform(self, command: Command) -> Reply | Respond:
        """Do what the machine asks for until it has an answer for Envoy."""
        if isinstance(command, Screen):
            screened = self._pipeline.screen(command.request)
            if isinstance(screened, Reject):
                self._recorder.begin()
                self._record(command, Result(screened))
                command = self._machine.receive(Screened(screened))
            else:
                self._admitted = screened
                command = self._machine.receive(_GOES_ON)
        if isinstance(command, Decide):
            command = await self._decide(command)
        if isinstance(command, Reply | Respond):
            return command
        raise ProtocolViolation(f"{type(command).__name__} has no answer")

    async def _decide(self, command: Decide) -> Command:
        if len(command.request.body) >= heap.LARGE:
            await heap.give_back()
        if self._pipeline.takes_over(command.request):
            readdressed = await self._pipeline.readdress(command.request)
            return self._machine.receive(Decided(readdressed))
        result: Result | None = None
        filters: list[FilterRecord] = []
        self._recorder.begin()
        with self._pipeline.span(command.request, self._gateway_span()) as span:
            try:
                result = await self._pipeline.run(
                    command.request, filters, span.traceparent, self._admitted
                )
                following = self._machine.receive(Decided(result.told, result.metadata))
                if isinstance(following, Finish):
                    await self._context.write(encode(following))
                    result = await following.work.finish()
                    following = self._machine.receive(Decided(result.told, result.metadata))
            finally:
                self._record(command, result, filters, span)
        return following

    def _gateway_span(self) -> str | None:
        """Return the `traceparent` of the request as the gateway traces it, if it does."""
        metadata = self._context.invocation_metadata() or ()
        return next((value for name, value in metadata if name == HEADER_TRACEPARENT), None)

    def _record(
        self,
        command: Screen | Decide,
        result: Result | None,
        filters: Iterable[FilterRecord] = (),
        span: Span | None = None,
    ) -> None:
        """Record the end of a request; None is one that the client gave up."""
        request = command.request
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
