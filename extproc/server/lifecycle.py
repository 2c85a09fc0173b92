"""The gRPC server of one worker: start, health, swap, drain."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from extproc.address import PipeAddress
from extproc.address import parse as parse_address
from extproc.certificates import ServerTls
from extproc.config.model.types import LARGEST_SIZE
from extproc.heap import NOTICED, Heap
from extproc.names import PROCESSOR_SERVICE
from extproc.pipeline import Pipeline
from extproc.recording import Recorder
from extproc.server.servicer import Servicer
from extproc.server.tls import OnlyNamed, credentials
from extproc.server.wire.requests import MAX_MESSAGE_OVERHEAD, parse

_LARGEST_MESSAGE: Final = LARGEST_SIZE + MAX_MESSAGE_OVERHEAD
"""The limits of a request hold before this one, and change while the server stays."""

_MOST_PENDING: Final = 100_000
"""Requests that came and were not looked at yet. By default gRPC refuses some from 1,000 on."""

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
    # A whole answer goes back in one message.
    ("grpc.max_send_message_length", _LARGEST_MESSAGE),
    # Envoy's keepalive pings would make the server close the connection (too_many_pings).
    ("grpc.http2.max_ping_strikes", 0),
    # Two workers on one port would share it unevenly, and unnoticed.
    ("grpc.so_reuseport", 0),
    # How many requests wait is for Envoy's circuit breakers to say; each waits for its decision.
    ("grpc.server.max_pending_requests", _MOST_PENDING),
    ("grpc.server.max_pending_requests_hard_limit", _MOST_PENDING),
)


class Server:
    """Serves one pipeline at a time on one address."""

    def __init__(self, pipeline: Pipeline, recorder: Recorder) -> None:
        self._servicer = Servicer(pipeline, recorder)
        self._health = health_aio.HealthServicer()
        self._heap = Heap()
        self._server: Any = None

    async def start(self, address: str, tls: ServerTls | None = None) -> int:
        """Listen on `host:port` or `unix:path`; return the port.

        Raises OSError; ValueError where a file of `tls` cannot be used.
        """
        only = (OnlyNamed(tls.client_sans),) if tls is not None and tls.client_sans else ()
        self._server = grpc.aio.server(options=_OPTIONS, interceptors=only)
        handler = grpc.stream_unary_rpc_method_handler(
            self._servicer.process,
            request_deserializer=self._parse,
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(PROCESSOR_SERVICE, {"Process": handler}),)
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        port = self._listen(address, tls)
        if isinstance(place := parse_address(address), PipeAddress):
            _share(Path(place.path))
        await self._server.start()
        for service in ("", PROCESSOR_SERVICE):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        return port

    def _listen(self, address: str, tls: ServerTls | None) -> int:
        shown = credentials(tls) if tls is not None else None
        try:
            if shown is None:
                return int(self._server.add_insecure_port(address))
            return int(self._server.add_secure_port(address, shown))
        except RuntimeError as error:
            wrong_key = f", or {tls.key} is no key for RSA, P-256 or P-384" if tls else ""
            raise OSError(f"cannot listen on {address}{wrong_key}") from error

    def _parse(self, data: bytes) -> object:
        """Parse a message for gRPC, who drops the bytes then: a body is not held three times."""
        if len(data) >= NOTICED:
            self._heap.received(len(data))
        return parse(data)

    @property
    def older_streams(self) -> int:
        """How many streams run that keep an earlier pipeline."""
        return self._servicer.older_streams

    def swap(self, pipeline: Pipeline) -> None:
        """Decide new streams by `pipeline`; running ones keep theirs."""
        self._servicer.pipeline = pipeline

    async def drain(self, notice: float, grace: float) -> None:
        """Report NOT_SERVING, serve on for `notice` seconds, then finish within `grace`."""
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(notice)
        if self._server is not None:
            await self._server.stop(grace)


def _share(socket: Path) -> None:
    """Let those connect who may write to its folder: a gateway that is another user's, in a pod.

    They could put a socket of their own there, unless the folder is sticky. Raises OSError.
    """
    folder = socket.parent.stat().st_mode
    others = 0 if folder & stat.S_ISVTX else folder & (stat.S_IWGRP | stat.S_IWOTH)
    socket.chmod(stat.S_IRUSR | stat.S_IWUSR | others)
