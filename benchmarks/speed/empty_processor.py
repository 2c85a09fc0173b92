"""What nothing costs: an ext_proc server on grpc.aio that looks at nothing.

usage: python -m benchmarks.speed.empty_processor FORM unix:PATH

It answers the same messages as the processor: the headers with nothing, the body with the same
header each time, so that Envoy routes. Forms:

    generator    `async for` over the messages, on asyncio: as the text-books have it
    uvloop       the same, on uvloop
    shortest     `read()` and `write()`, on uvloop, and it returns after the body's answer: the
                 least that gRPC's documentation has (the processor's own way saves one operation
                 more, and some settings of gRPC)
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
import grpc.aio
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from extproc._pb import outerloop_ext_proc_pb2 as pb

SERVICE: Final = "envoy.service.ext_proc.v3.ExternalProcessor"
_LARGEST: Final = 64 * 2**20


def _header(name: str, value: str) -> Any:  # noqa: ANN401 - generated
    option = pb.HeaderValueOption(append_action=pb.OVERWRITE_IF_EXISTS_OR_ADD)
    option.header.key, option.header.raw_value = name, value.encode()
    return option


def _of_headers() -> Any:  # noqa: ANN401 - generated
    answer = pb.ProcessingResponse()
    answer.request_headers.SetInParent()
    return answer


def _of_body(agent: str) -> Any:  # noqa: ANN401 - generated
    answer = pb.ProcessingResponse()
    response = answer.request_body.response
    response.clear_route_cache = True
    response.header_mutation.set_headers.append(_header("x-outerloop-agent", agent))
    return answer


HEADERS: Final = _of_headers()
BODY: Final = _of_body("agent-0")


async def generator(messages: AsyncIterator[Any], _context: object) -> AsyncIterator[Any]:
    """Serve one request as long as Envoy has something to say."""
    async for message in messages:
        yield HEADERS if message.HasField("request_headers") else BODY


async def shortest(_messages: object, context: Any) -> None:  # noqa: ANN401 - grpc is untyped
    """Serve one request, until its body is answered."""
    while (message := await context.read()) is not grpc.aio.EOF:
        whole = message.HasField("request_body")
        await context.write(BODY if whole else HEADERS)
        if whole:
            return


async def serve(form: str, address: str) -> None:
    """Serve until this process is ended."""
    server = grpc.aio.server(options=(("grpc.max_receive_message_length", _LARGEST),))
    handler = grpc.stream_stream_rpc_method_handler(
        shortest if form == "shortest" else generator,
        request_deserializer=pb.ProcessingRequest.FromString,
        response_serializer=pb.ProcessingResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"Process": handler}),)
    )
    health = health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    server.add_insecure_port(address)
    await server.start()
    await health.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    chosen, where = sys.argv[1:]
    run = asyncio.run if chosen == "generator" else uvloop.run
    run(serve(chosen, where))
