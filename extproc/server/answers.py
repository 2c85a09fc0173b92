"""The driver of answers: reads Envoy's messages of one answer and writes what filters leave."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from extproc.answering import Answering
from extproc.deadlines import Deadline
from extproc.errors import Reject
from extproc.http import NO_MUTATIONS
from extproc.recording import Recorder
from extproc.server.wire.requests import decode
from extproc.server.wire.responses import encode
from extproc.stream.answer import AnswerCommand, AnswerMachine
from extproc.stream.commands import Chunk, Reply, Slot
from extproc.stream.events import Event, ResponseBody, ResponseHeaders, ResponseTrailers
from extproc.stream.machine import ProtocolViolation

NOTHING: Final = b""
"""The last message of a stream that Envoy ended by itself: it looks at no more."""

_OF_ENVOY: Final = 60.0
"""Seconds between two messages of an answer that is Envoy's own, and so there already."""


class AnswerStream:
    """One answer to be filtered."""

    def __init__(self, answering: Answering, recorder: Recorder, context: Any) -> None:  # noqa: ANN401 - grpc is untyped
        self._answering = answering
        self._recorder = recorder
        self._context = context
        self._machine = AnswerMachine(answering.path)
        self._last = NOTHING

    async def serve(self, first: ResponseHeaders) -> bytes:
        """Serve the answer whose headers came; return the last message, which is yet to be sent.

        Raises `ProtocolViolation` and TimeoutError.
        """
        if first.end_of_stream:
            await self._write(self._machine.headers_only(NO_MUTATIONS))
            return self._last
        patience = Deadline(self._answering.timeout)
        try:
            with self._answering:
                while not self._machine.done:
                    event = await read(self._context, patience)
                    if event is None:
                        break
                    await self._take(event)
        finally:
            self._recorder.answered(self._answering.id, tuple(self._answering.records))
        return self._last

    async def _take(self, event: Event) -> None:
        if isinstance(event, ResponseBody):
            await self._body(event)
        elif isinstance(event, ResponseTrailers):
            await self._end(trailers=True)
        else:
            raise ProtocolViolation(f"{type(event).__name__} in an answer")

    async def _body(self, event: ResponseBody) -> None:
        async for piece in self._answering.feed(event.body):
            await self._proceed(piece)
        if event.end_of_stream and not self._machine.done:
            await self._end(trailers=False)

    async def _end(self, *, trailers: bool) -> None:
        last = b""
        async for piece in self._answering.close():
            await self._proceed(last)
            if isinstance(piece, Reject):
                await self._refuse(piece)
                return
            last = piece
        self._answering.__exit__()
        head = self._answering.head(len(last))
        metadata = self._answering.metadata
        await self._write(self._machine.finish(last, head, metadata, trailers=trailers))

    async def _proceed(self, piece: bytes | Reject) -> None:
        if isinstance(piece, Reject):
            await self._refuse(piece)
        else:
            await self._write(self._machine.proceed(piece, self._answering.head(None)))

    async def _refuse(self, reject: Reject) -> None:
        self._answering.__exit__()
        event = self._answering.error_event(reject)
        await self._write(self._machine.refuse(reject, event, self._answering.metadata))

    async def _write(self, commands: list[AnswerCommand]) -> None:
        messages = [encode(command) for command in commands]
        if self._machine.done:
            self._last = messages.pop()
        for message in messages:
            await self._context.write(message)


async def pass_on(context: Any, first: ResponseHeaders) -> bytes:  # noqa: ANN401 - grpc is untyped
    """Give every message of an answer back as it came; return the last one, yet to be sent."""
    message, ended = encode(Reply(Slot.RESPONSE_HEADERS)), first.end_of_stream
    patience = Deadline(_OF_ENVOY)
    while not ended:
        await context.write(message)
        match await read(context, patience):
            case ResponseBody(body, end):
                message, ended = encode(Chunk(body, end)), end
            case ResponseTrailers():
                message, ended = encode(Reply(Slot.RESPONSE_TRAILERS)), True
            case None:
                message, ended = NOTHING, True
            case event:
                raise ProtocolViolation(f"{type(event).__name__} in an answer")
    return message


async def read(context: Any, patience: Deadline) -> Event | None:  # noqa: ANN401 - grpc is untyped
    """Return what Envoy says next, None at the end. Raises TimeoutError and `MalformedMessage`."""
    with patience:
        message = await context.read()
    return decode(message) if message is not grpc.aio.EOF else None
