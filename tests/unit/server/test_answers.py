from __future__ import annotations

from typing import Any

import grpc.aio
import pytest

from extproc._pb import outerloop_ext_proc_pb2 as pb
from extproc.deadlines import Deadline
from extproc.server.answers import pass_on, read
from extproc.server.wire.requests import MalformedMessage, parse
from extproc.stream.events import ResponseBody, ResponseHeaders


class Context:
    """A gRPC stream whose messages are there already."""

    def __init__(self, *messages: pb.ProcessingRequest) -> None:
        self.messages = [each.SerializeToString() for each in messages]
        self.written: list[pb.ProcessingResponse] = []

    async def read(self) -> Any:
        return parse(self.messages.pop(0)) if self.messages else grpc.aio.EOF

    async def write(self, message: bytes) -> None:
        self.written.append(pb.ProcessingResponse.FromString(message))


async def passed_on(context: Context, first: ResponseHeaders) -> list[pb.ProcessingResponse]:
    last = await pass_on(context, first)
    return [*context.written, pb.ProcessingResponse.FromString(last)]


def body(data: bytes, *, end: bool) -> pb.ProcessingRequest:
    return pb.ProcessingRequest(response_body=pb.HttpBody(body=data, end_of_stream=end))


async def test_an_answer_that_nobody_filters_comes_back_as_it_was() -> None:
    context = Context(body(b"a", end=False), body(b"b", end=True))
    headers, *chunks = await passed_on(context, ResponseHeaders())
    assert headers.HasField("response_headers")
    streamed = [each.response_body.response.body_mutation.streamed_response for each in chunks]
    assert [(each.body, each.end_of_stream) for each in streamed] == [(b"a", False), (b"b", True)]


async def test_so_do_its_trailers() -> None:
    trailers = pb.ProcessingRequest(response_trailers=pb.HttpTrailers())
    context = Context(body(b"a", end=False), trailers)
    *_, last = await passed_on(context, ResponseHeaders())
    assert last.HasField("response_trailers")


async def test_envoy_may_end_it_before() -> None:
    context = Context(body(b"a", end=False))
    *_, chunk, last = await passed_on(context, ResponseHeaders())
    assert chunk.HasField("response_body")
    assert last == pb.ProcessingResponse()


async def test_an_answer_without_a_body_ends_with_its_headers() -> None:
    context = Context()
    only = await passed_on(context, ResponseHeaders(end_of_stream=True))
    assert [each.WhichOneof("response") for each in only] == ["response_headers"]


async def test_messages_are_read_until_the_end() -> None:
    context = Context(body(b"a", end=False))
    assert await read(context, Deadline(1)) == ResponseBody(b"a")
    assert await read(context, Deadline(1)) is None
    context.messages = [b"\xff"]
    with pytest.raises(MalformedMessage):
        await read(context, Deadline(1))
