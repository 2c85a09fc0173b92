"""The processor's own calls over HTTP: through Envoy's egress listener, or straight."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from copy import copy
from typing import Final

import aiohttp
from yarl import URL

from extproc.address import Address, PipeAddress, SocketAddress
from extproc.calls import Arriving, Call, CallFailed, Response, Target
from extproc.config.model.root import Config
from extproc.http import Headers
from extproc.names import HEADER_ERROR, HEADER_TARGET
from extproc.origin import Origin, parse_origin

_CHUNK: Final = 64 * 2**10
_MAX_HEADER: Final = 64 * 2**10


class Egress:
    """Makes calls through the listener at `via`, or directly where it is None.

    On the listener the header `x-outerloop-target` names the route; retries, TLS, breakers and
    statistics are Envoy's. Must be made and closed on the event loop that it is used on.
    """

    def __init__(self, via: Address | None = None) -> None:
        self._via: Address | Origin | None = via
        connector = (
            aiohttp.UnixConnector(via.path, limit=0)
            if isinstance(via, PipeAddress)
            else aiohttp.TCPConnector(limit=0)
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            # Nothing of one call may show up in another.
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={
                "user-agent": "outerloop",
                "accept-encoding": "identity",
                "content-type": "application/json",
            },
            max_line_size=_MAX_HEADER,
            max_field_size=_MAX_HEADER,
        )

    def through(self, gateway: Origin | None) -> Egress:
        """Return the way through a gateway of others; by our own listener, where there is one.

        It has the same connections, and is closed with this one.
        """
        if self._via is not None or gateway is None:
            return self
        way = copy(self)
        way._via = gateway  # noqa: SLF001 - another view of the same
        return way

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def __call__(self, call: Call) -> Response:
        """Make one call; see `Caller`."""
        async with self.open(call) as arriving:
            body = b"".join([chunk async for chunk in arriving.chunks])
        return Response(arriving.status, arriving.headers, body)

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncIterator[Arriving]:
        """Make one call and read its answer as it comes; see `Caller`."""
        target = call.target.name
        with _failures(target):
            async with asyncio.timeout(call.timeout), self._send(call) as response:
                error = response.headers.get(HEADER_ERROR) if self._via is not None else None
                if error is not None:
                    # Envoy's own answer: a target's x-outerloop headers do not pass the listener.
                    raise CallFailed(f"{target}: {error}")
                pairs = ((name.lower(), value) for name, value in response.headers.items())
                yield Arriving(response.status, Headers(tuple(pairs)), _read(response, call))

    def _send(self, call: Call) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        given: Iterable[tuple[str, str]] = call.headers
        if not isinstance(self._via, Address):
            # A gateway of others has no keys of ours.
            given = call.target.credentials.applied(given, call.path)
        headers = [(name, _as_sent(value)) for name, value in given]
        return self._session.request(
            call.method,
            # Encoded already: an agent must see the path and query that the client wrote.
            URL(self._base(call.target) + _as_sent(call.path), encoded=True),
            data=call.body,
            headers=[*headers, (HEADER_TARGET, call.target.name)],
            allow_redirects=False,
        )

    def _base(self, target: Target) -> str:
        via = self._via
        if isinstance(via, PipeAddress):
            return "http://egress"
        if isinstance(via, SocketAddress):
            return f"http://{via}"
        if via is not None:
            return f"{via.scheme}://{via.authority}{via.path_prefix}"
        if not target.has_address:
            raise CallFailed(f"{target.name} is a cluster of the gateway: it needs egress.url")
        return f"{target.origin.scheme}://{target.origin.authority}"


def gateway_of(config: Config) -> Origin | None:
    """Return the gateway that calls go through where there is no listener of ours for them."""
    url = config.egress.url
    return parse_origin(url, api=False) if url is not None else None


def _as_sent(text: str) -> str:
    """Return text in latin-1 (see `Headers`) so that aiohttp, which writes UTF-8, sends its bytes.

    What is not UTF-8 is sent as UTF-8 of the same characters: aiohttp can send nothing else.
    """
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


async def _read(response: aiohttp.ClientResponse, call: Call) -> AsyncIterator[bytes]:
    size = 0
    with _failures(call.target.name):
        async for chunk in response.content.iter_chunked(_CHUNK):
            size += len(chunk)
            if size > call.max_bytes:
                limit = f"more than {call.max_bytes} bytes"
                raise CallFailed(f"{call.target.name} answered with {limit}")
            yield chunk


@contextmanager
def _failures(target: str) -> Iterator[None]:
    """Raise what can go wrong on the way to a target as `CallFailed`."""
    try:
        yield
    except TimeoutError as error:
        raise CallFailed(f"{target} did not answer in time", timed_out=True) from error
    except (aiohttp.ClientError, OSError, zlib.error) as error:
        raise CallFailed(f"{target}: {type(error).__name__}") from error
