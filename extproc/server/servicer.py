"""The driver: the only place where the stream machine and the pipeline meet."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc.aio

from extproc.pipeline import Pipeline
from extproc.server.wire import MalformedMessage, decode, encode
from extproc.stream.commands import Decide, Finish, Reply, Respond, Screen
from extproc.stream.events import Decided, Screened
from extproc.stream.machine import ProtocolViolation, StreamMachine

log = logging.getLogger(__name__)


class Servicer:
    """Serves `ExternalProcessor/Process`. Assign `pipeline` to swap it: streams keep theirs."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    async def process(self, _messages: object, context: Any) -> None:  # noqa: ANN401 - grpc is untyped
        """Serve one stream, that is one HTTP request."""
        pipeline = self.pipeline
        try:
            await _serve(pipeline, context)
        except (MalformedMessage, ProtocolViolation) as error:
            log.warning("stream aborted: %s", error)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not an ext_proc stream")
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the stream stood still")


async def _serve(pipeline: Pipeline, context: Any) -> None:  # noqa: ANN401 - grpc is untyped
    limits = pipeline.runtime.limits
    machine = StreamMachine(limits.max_request_bytes)
    patience = limits.request_timeout.total_seconds()
    while not machine.done:
        async with asyncio.timeout(patience):
            message = await context.read()
        if message is grpc.aio.EOF:
            return
        command = machine.receive(decode(message))
        while not isinstance(command, Reply | Respond):
            if isinstance(command, Finish):
                await context.write(encode(command))
            command = machine.receive(await _perform(pipeline, command))
        await context.write(encode(command))


async def _perform(pipeline: Pipeline, command: Screen | Decide | Finish) -> Screened | Decided:
    match command:
        case Screen(request):
            return Screened(pipeline.screen(request))
        case Decide(request):
            return Decided(await pipeline.run(request))
        case Finish(work):
            return Decided(await work.finish())
