"""The driver: the only place where the stream machine and the pipeline meet."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc.aio

from extproc.pipeline import Pipeline
from extproc.server.wire import MalformedMessage, decode, encode
from extproc.stream.commands import Decide, Reply, Respond, Screen
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
            async with asyncio.timeout(pipeline.runtime.stream_timeout):
                await _serve(pipeline, context)
        except (MalformedMessage, ProtocolViolation) as error:
            log.warning("stream aborted: %s", error)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not an ext_proc stream")
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the stream stood still")


async def _serve(pipeline: Pipeline, context: Any) -> None:  # noqa: ANN401 - grpc is untyped
    machine = StreamMachine(pipeline.runtime.limits.max_request_bytes)
    while not machine.done:
        message = await context.read()
        if message is grpc.aio.EOF:
            return
        command = machine.receive(decode(message))
        while not isinstance(command, Reply | Respond):
            command = machine.receive(await _perform(pipeline, command))
        await context.write(encode(command))


async def _perform(pipeline: Pipeline, command: Screen | Decide) -> Screened | Decided:
    if isinstance(command, Screen):
        return Screened(pipeline.screen(command.request))
    return Decided(await pipeline.run(command.request))
