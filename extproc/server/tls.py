"""TLS of the gRPC server: certificates that change while it serves, and whom it serves."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio

from extproc.certificates import ServerTls

log = logging.getLogger(__name__)

_SHAPES: Final = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
_MOST_TOLD: Final = 100
"""Callers that are logged when refused, each once: health checks come each second."""
_LONGEST_TOLD: Final = 200

Handler = Callable[[Any, Any], Awaitable[Any]]


def credentials(tls: ServerTls) -> Any:  # noqa: ANN401 - grpc is untyped
    """Return the credentials of a server, which shows new clients what the files hold then.

    Raises ValueError, naming the file, where one cannot be used now. Where that is so later it is
    logged, and what was read before stays.
    """
    files = Files(tls)
    return grpc.dynamic_ssl_server_credentials(
        files.first, files.newer, require_client_authentication=tls.client_ca is not None
    )


class Files:
    """What is in the files of a server's TLS, as gRPC wants it. Raises ValueError."""

    def __init__(self, tls: ServerTls) -> None:
        self._tls = tls
        self._fault = ""
        # Before they are read: what changes meanwhile is read again.
        self._in_use = _state(tls)
        self.first = _configuration(tls)

    def newer(self) -> Any:  # noqa: ANN401 - grpc is untyped
        """Return what the files hold; None where that is in use, or cannot be used. Never raises.

        gRPC asks before each handshake, in a thread of its own.
        """
        try:
            state = _state(self._tls)
            if state == self._in_use:
                self._fault = ""
                return None
            read = _configuration(self._tls)
            if _state(self._tls) != state:
                # Somebody writes: what was checked need not be what was read.
                return None
        except ValueError as error:
            self._complain(str(error))
            return None
        log.info("TLS: %s was read again", self._tls.certificate)
        self._in_use, self._fault = state, ""
        return read

    def _complain(self, fault: str) -> None:
        if fault != self._fault:
            log.error("TLS: what was read before stays in use: %s", fault)
        self._fault = fault


def _configuration(tls: ServerTls) -> Any:  # noqa: ANN401 - grpc is untyped
    certificate, authorities = tls.read()
    pair = (certificate.key, certificate.chain)
    return grpc.ssl_server_certificate_configuration([pair], authorities)


def _state(tls: ServerTls) -> object:
    """Return what changes where a file is written in place, replaced, or linked anew."""
    try:
        found = [Path(file).stat() for file in tls.files]
    except OSError as error:
        raise ValueError(f"{error.filename}: {error.strerror}") from None
    return [(each.st_dev, each.st_ino, each.st_size, each.st_mtime_ns) for each in found]


class OnlyNamed(grpc.aio.ServerInterceptor):  # type: ignore[misc] # grpc is untyped
    """Serves callers whose certificate has one of `names`, DNS or URI, letter for letter.

    Others get PERMISSION_DENIED before anything of their call is read.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(name.encode() for name in names)
        self._told: set[frozenset[bytes]] = set()

    async def intercept_service(
        self,
        continuation: Callable[[Any], Awaitable[Any]],
        handler_call_details: Any,  # noqa: ANN401 - grpc is untyped
    ) -> Any:  # noqa: ANN401 - grpc is untyped
        """Return the method's handler, which looks at the caller first."""
        method = await continuation(handler_call_details)
        if method is None:
            return None
        shape = next(each for each in _SHAPES if getattr(method, each) is not None)
        return getattr(grpc, f"{shape}_rpc_method_handler")(
            self._admitting(getattr(method, shape)),
            method.request_deserializer,
            method.response_serializer,
        )

    def _admitting(self, handler: Handler) -> Handler:
        async def serve(request: object, context: Any) -> object:  # noqa: ANN401 - grpc is untyped
            caller = context.auth_context()
            found = frozenset((*caller.get("peer_dns", ()), *caller.get("peer_uri", ())))
            if found.isdisjoint(self._names):
                self._tell(found)
                await context.abort(
                    grpc.StatusCode.PERMISSION_DENIED, "no client certificate of a name that may"
                )
            return await handler(request, context)

        return serve

    def _tell(self, found: frozenset[bytes]) -> None:
        if found not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(found)
            names = str([each.decode(errors="replace") for each in sorted(found)])
            log.warning("TLS: a client is refused: its names are %s", names[:_LONGEST_TOLD])
