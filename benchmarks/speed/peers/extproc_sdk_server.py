"""A server made with envoy-extproc-sdk that routes by the body's `model`; its own Python runs it.

usage: python extproc_sdk_server.py SOCKET

The SDK's `serve` is not used: it registers its health service as a class, which no health check
gets an answer from, and listens on all addresses.
"""

from __future__ import annotations

import asyncio
import json
import sys
from types import ModuleType
from typing import Any

import grpc.aio
import grpc_health.v1.health_pb2 as messages
import grpc_health.v1.health_pb2_grpc as services
from grpc_health.v1.health import aio

# The SDK looks for the health service where nothing installs it.
sys.modules |= {
    "grpc_health_check": ModuleType("grpc_health_check"),
    "grpc_health_check.v1": ModuleType("grpc_health_check.v1"),
    "grpc_health_check.v1.health_pb2": messages,
    "grpc_health_check.v1.health_pb2_grpc": services,
}

# Of another environment, and they need what stands above.
from envoy_extproc_sdk import BaseExtProcService  # type: ignore[import-not-found] # noqa: E402
from envoy_extproc_sdk.util import envoy  # type: ignore[import-not-found] # noqa: E402

SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"


class ByModel(BaseExtProcService):  # type: ignore[misc] # of another environment
    """Routes to the agent that the body names."""

    async def process_request_body(
        self,
        body: Any,  # noqa: ANN401 - generated
        context: Any,  # noqa: ANN401, ARG002 - the SDK's
        request: dict[str, Any],  # noqa: ARG002 - the SDK's
        response: Any,  # noqa: ANN401 - generated
    ) -> Any:  # noqa: ANN401 - generated
        """Set the header that Envoy routes by."""
        model = json.loads(body.body)["model"]
        header = envoy.EnvoyHeaderValue(key="x-outerloop-agent", raw_value=model.encode())
        option = envoy.EnvoyHeaderValueOption(header=header)
        response.header_mutation.set_headers.append(option)
        response.clear_route_cache = True
        return response


async def serve(socket: str) -> None:
    """Serve until this process is ended."""
    server = grpc.aio.server(options=(("grpc.max_receive_message_length", 64 * 2**20),))
    envoy.add_ExternalProcessorServicer_to_server(ByModel(), server)
    health = aio.HealthServicer()
    services.add_HealthServicer_to_server(health, server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    await health.set(SERVICE, messages.HealthCheckResponse.SERVING)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
