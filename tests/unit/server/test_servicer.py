from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
import pytest

from extproc._pb import outerloop_ext_proc_pb2 as pb
from extproc.http import HttpRequest
from extproc.pipeline import Pipeline
from extproc.server.lifecycle import Server
from extproc.stream.events import Result, Unfinished

METHOD = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
BODY = b'{"messages":[{"role":"user","content":"hello"}]}'


def headers(
    path: str = "/v1/chat/completions", mode: pb.BodySendMode = pb.BUFFERED
) -> pb.ProcessingRequest:
    message = pb.ProcessingRequest()
    for name, value in ((":method", "POST"), (":path", path)):
        message.request_headers.headers.headers.add(key=name, raw_value=value.encode())
    message.protocol_config.request_body_mode = mode
    return message


def body(data: bytes = BODY, *, end: bool = True) -> pb.ProcessingRequest:
    return pb.ProcessingRequest(request_body=pb.HttpBody(body=data, end_of_stream=end))


class Call:
    """One ext_proc stream, as Envoy would hold it."""

    def __init__(self, channel: Any) -> None:
        self.stream = channel.stream_stream(METHOD)()

    async def ask(self, message: pb.ProcessingRequest) -> pb.ProcessingResponse:
        await self.stream.write(message.SerializeToString())
        return pb.ProcessingResponse.FromString(await self.stream.read())

    async def ended(self) -> bool:
        return await self.stream.read() is grpc.aio.EOF


async def no_older(server: Server, but: int = 0) -> None:
    """Wait until that few older streams run: a client hears of an end before it is over."""
    async with asyncio.timeout(10):
        while server.older_streams > but:
            await asyncio.sleep(0.01)


async def test_headers_then_body_and_the_stream_is_over(
    make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    _, channel = await serve(make_pipeline("b"))
    call = Call(channel)
    assert (await call.ask(headers())).HasField("request_headers")
    answer = await call.ask(body(end=False))
    sent = {
        option.header.key: option.header.raw_value
        for option in answer.request_body.response.header_mutation.set_headers
    }
    assert sent["x-outerloop-agent"] == b"b"
    assert answer.request_body.response.clear_route_cache
    # The client has not half-closed: the server ends the stream by itself.
    assert await call.ended()
    assert await call.stream.code() is grpc.StatusCode.OK


async def test_a_refusal_at_the_headers_ends_the_stream(
    make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    _, channel = await serve(make_pipeline())
    call = Call(channel)
    answer = await call.ask(headers("/nowhere"))
    assert answer.immediate_response.status.code == 404
    assert await call.ended()


async def test_another_body_mode_is_refused(
    make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    _, channel = await serve(make_pipeline())
    answer = await Call(channel).ask(headers(mode=pb.FULL_DUPLEX_STREAMED))
    assert answer.immediate_response.status.code == 500
    assert b"FULL_DUPLEX_STREAMED" in answer.immediate_response.body


async def test_a_body_above_grpcs_own_default_limit(
    make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    _, channel = await serve(make_pipeline())
    call = Call(channel)
    await call.ask(headers())
    large = b'{"messages":[{"role":"user","content":"' + b"x" * 4_900_000 + b'"}]}'
    assert (await call.ask(body(large))).HasField("request_body")


@pytest.mark.parametrize("message", [b"\xff\xff", b""])
async def test_what_is_no_ext_proc_stream_is_aborted(
    message: bytes, make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    _, channel = await serve(make_pipeline())
    call = Call(channel)
    await call.stream.write(message)
    assert await call.stream.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_body_before_its_headers_is_aborted(
    make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    _, channel = await serve(make_pipeline())
    call = Call(channel)
    await call.stream.write(body().SerializeToString())
    assert await call.stream.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_stream_that_stands_still_is_given_up(
    make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    _, channel = await serve(make_pipeline(request_timeout=0.05))
    call = Call(channel)
    await call.ask(headers())
    assert await call.stream.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_client_that_goes_away_cancels_the_decision(
    make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    _, channel = await serve(make_pipeline(before=wait))
    call = Call(channel)
    await call.ask(headers())
    await call.stream.write(body().SerializeToString())
    await begun.wait()
    call.stream.cancel()
    await asyncio.wait_for(cancelled.wait(), 10)


async def test_a_stream_keeps_the_pipeline_it_began_with(
    make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    server, channel = await serve(make_pipeline("a"))
    old = Call(channel)
    await old.ask(headers())
    server.swap(make_pipeline("b"))
    new = Call(channel)
    await new.ask(headers())
    for call, agent in ((old, b"a"), (new, b"b")):
        mutation = (await call.ask(body())).request_body.response.header_mutation
        sent = {option.header.key: option.header.raw_value for option in mutation.set_headers}
        assert sent["x-outerloop-agent"] == agent


async def test_streams_that_began_before_a_swap_are_counted_until_they_end(
    make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    server, channel = await serve(make_pipeline())
    older = [Call(channel), Call(channel)]
    for call in older:
        await call.ask(headers())
    assert server.older_streams == 0
    server.swap(make_pipeline())
    new = Call(channel)
    await new.ask(headers())
    assert server.older_streams == 2
    await older[0].ask(body())
    assert await older[0].ended()
    await no_older(server, but=1)
    server.swap(make_pipeline())
    assert server.older_streams == 2
    older[1].stream.cancel()
    await new.ask(body())
    assert await new.ended()
    await no_older(server)


@pytest.mark.parametrize("message", [b"\xff\xff", b""])
async def test_a_stream_that_failed_is_over(
    message: bytes, make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    server, channel = await serve(make_pipeline())
    call = Call(channel)
    await call.stream.write(message)
    assert await call.stream.code() is grpc.StatusCode.INVALID_ARGUMENT
    server.swap(make_pipeline())
    await no_older(server)


async def test_streams_do_not_wait_for_each_other(
    make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    gate = asyncio.Event()
    waiting = 0

    async def meet() -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 50:
            gate.set()
        await gate.wait()

    _, channel = await serve(make_pipeline(before=meet))

    async def one(number: int) -> bool:
        call = Call(channel)
        await call.ask(headers())
        return (await call.ask(body(BODY.replace(b"hello", b"%d" % number)))).HasField(
            "request_body"
        )

    assert all(await asyncio.wait_for(asyncio.gather(*(one(number) for number in range(50))), 30))


async def test_every_request_is_recorded_once(
    make_pipeline: Callable[..., Pipeline], serve: Any, recorder: Any
) -> None:
    _, channel = await serve(make_pipeline("b"))
    routed = Call(channel)
    await routed.ask(headers())
    await routed.ask(body())
    assert await routed.ended()
    refused = Call(channel)
    await refused.ask(headers("/nowhere"))
    assert await refused.ended()
    bad = Call(channel)
    await bad.ask(headers())
    await bad.ask(body(b"{"))
    assert await bad.ended()
    assert recorder.begun == 3
    assert [record.outcome.value for record in recorder.records] == [
        "routed",
        "rejected",
        "rejected",
    ]
    first, second, third = recorder.records
    assert (first.listener, first.decision.agent) == ("main", "b")
    assert (second.listener, second.decision) == ("main", None)
    assert (third.listener, third.decision) == ("main", None)


async def test_a_request_that_is_given_up_is_recorded_too(
    make_pipeline: Callable[..., Pipeline], serve: Any, recorder: Any
) -> None:
    begun = asyncio.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    _, channel = await serve(make_pipeline(before=wait))
    call = Call(channel)
    await call.ask(headers())
    await call.stream.write(body().SerializeToString())
    await begun.wait()
    call.stream.cancel()
    async with asyncio.timeout(10):
        while not recorder.records:
            await asyncio.sleep(0.01)
    [record] = recorder.records
    assert (record.outcome.value, record.listener, record.decision) == ("cancelled", "main", None)
    assert recorder.begun == 1


async def test_a_plan_that_is_given_up_is_recorded_with_its_decision(
    make_pipeline: Callable[..., Pipeline],
    serve: Any,
    recorder: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline = make_pipeline("b")
    decide = pipeline.run

    async def finish() -> Result:
        await asyncio.Event().wait()
        raise AssertionError

    async def run(request: HttpRequest, *_: object) -> Result:
        return (await decide(request))._replace(answer=Unfinished(5, finish))

    monkeypatch.setattr(pipeline, "run", run)
    _, channel = await serve(pipeline)
    call = Call(channel)
    await call.ask(headers())
    assert (await call.ask(body())).HasField("override_message_timeout")
    call.stream.cancel()
    async with asyncio.timeout(10):
        while not recorder.records:
            await asyncio.sleep(0.01)
    [record] = recorder.records
    assert (record.outcome.value, record.decision.agent) == ("cancelled", "b")


def answer_headers(**details: str) -> pb.ProcessingRequest:
    """Response headers as Envoy sends them to the filter of answers."""
    message = pb.ProcessingRequest(response_headers=pb.HttpHeaders())
    message.protocol_config.response_body_mode = pb.FULL_DUPLEX_STREAMED
    for name, value in details.items():
        message.attributes["envoy.filters.http.ext_proc"].update({f"response.{name}": value})
    return message


@pytest.mark.parametrize("details", [{}, {"code_details": "via_upstream"}])
async def test_an_answer_whose_filters_nobody_can_tell_is_refused(
    details: dict[str, str], make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    _, channel = await serve(make_pipeline())
    call = Call(channel)
    answer = await call.ask(answer_headers(**details))
    assert answer.immediate_response.status.code == 500
    assert b"metadata namespace" in answer.immediate_response.body
    assert await call.ended()


async def test_an_answer_of_envoys_own_passes(
    make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    _, channel = await serve(make_pipeline())
    call = Call(channel)
    answer = await call.ask(answer_headers(code_details="no_healthy_upstream"))
    assert answer.HasField("response_headers")
    chunk = await call.ask(
        pb.ProcessingRequest(response_body=pb.HttpBody(body=b"x", end_of_stream=True))
    )
    streamed = chunk.response_body.response.body_mutation.streamed_response
    assert (streamed.body, streamed.end_of_stream) == (b"x", True)
    assert await call.ended()
