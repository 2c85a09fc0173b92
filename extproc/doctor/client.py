"""The client that probes send with: one connection a request, and a deadline for each."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import aiohttp
from multidict import CIMultiDict

from extproc import names
from extproc.doctor.reply import Reply
from extproc.doctor.requests import Filler
from extproc.doctor.tls import Tls
from extproc.origin import Origin

LONGEST_BODY: Final = 4 * 2**20
"""Bytes of an answer that are kept: the listing of many thousand agents."""

_CONNECT_TIMEOUT: Final = 10.0

_CAUSES: Final = (
    (aiohttp.ConnectionTimeoutError, "no connection in time"),
    (TimeoutError, "no answer within {:g} s"),
    (aiohttp.ClientConnectorDNSError, "no connection: its name is not known"),
    (aiohttp.ClientConnectorSSLError, "no TLS there"),
    (aiohttp.ClientResponseError, "what comes back is not HTTP/1.1"),
    (aiohttp.ServerDisconnectedError, "the connection was closed without an answer"),
    (OSError, "the connection was closed without an answer"),
)
"""Why there is no answer; the first that fits."""

Pairs = Iterable[tuple[str, str]]


class NoReply(Exception):
    """No answer came; the text says why, for a person."""


class TooLate(NoReply):
    """No answer came in time."""


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway, and how to talk to it.

    `headers` go with every request, `host` among them where it is not the address's own.
    `timeout` is seconds for each request.
    """

    origin: Origin
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    timeout: float = 60.0
    tls: Tls = field(default_factory=Tls)

    @property
    def host(self) -> str:
        """What the gateway is asked for: the `host` header that was given, or its address."""
        given = (value for name, value in self.headers if name.lower() == "host")
        return next(given, self.origin.authority)

    @property
    def server_name(self) -> str:
        """The name that its certificate must have, without a port."""
        name, colon, port = self.host.rpartition(":")
        return (name if colon and port.isdigit() else self.host).strip("[]")


class Client:
    """Sends requests to a gateway and keeps what was answered. Close it in the end."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.mark = f"outerloop-doctor-{secrets.token_hex(4)}"
        self.replies: list[Reply] = []
        self.sent = 0
        self._numbers = count(1)
        self._session = aiohttp.ClientSession(
            # After an answer that came early, its connection is of no use to the next request.
            connector=aiohttp.TCPConnector(
                force_close=True, ssl=target.tls.context() if target.origin.tls else True
            ),
            timeout=aiohttp.ClientTimeout(total=target.timeout, connect=_CONNECT_TIMEOUT),
            # As the gateway passes it on: not inflated here, and whole tokens are no bytes of gzip.
            headers={"accept-encoding": "identity", "user-agent": "outerloop-doctor"},
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._session.close()

    def next_id(self) -> str:
        """Return the `x-request-id` of one more request, which counts as sent."""
        self.sent += 1
        return f"{self.mark}-{next(self._numbers)}"

    async def get(self, path: str, headers: Pairs = ()) -> Reply:
        """Send a GET. Raises `NoReply`."""
        return await self._send("GET", path, headers, None)

    async def post(self, path: str, body: bytes | Filler, headers: Pairs = ()) -> Reply:
        """Send JSON, or what looks like it. Raises `NoReply`."""
        return await self._send(
            "POST", path, [("content-type", "application/json"), *headers], body
        )

    async def _send(
        self, method: str, path: str, headers: Pairs, body: bytes | Filler | None
    ) -> Reply:
        fields = CIMultiDict(self.target.headers)
        fields["host"] = self.target.host
        fields[names.HEADER_REQUEST_ID] = request_id = self.next_id()
        for name, value in headers:
            fields.add(name, value)
        if isinstance(body, Filler):
            fields["content-length"] = str(body.size)
        origin = self.target.origin
        url = f"{origin.scheme}://{origin.address}{origin.path_prefix}{path}"
        started = time.monotonic()
        try:
            async with self._session.request(
                method,
                url,
                headers=fields,
                data=body.pieces() if isinstance(body, Filler) else body,
                allow_redirects=False,
                server_hostname=self.target.server_name if origin.tls else None,
            ) as response:
                reply = await _read(response, request_id, started)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            kind = TooLate if isinstance(error, TimeoutError) else NoReply
            raise kind(_why(error, self.target.timeout)) from error
        self.replies.append(reply)
        return reply


async def _read(response: aiohttp.ClientResponse, request_id: str, started: float) -> Reply:
    answered = time.monotonic() - started
    body, arrivals = bytearray(), []
    async for piece in response.content.iter_any():
        arrivals.append(time.monotonic() - started)
        body += piece
        if len(body) >= LONGEST_BODY:
            break
    headers = tuple((name.lower(), value) for name, value in response.headers.items())
    return Reply(response.status, headers, bytes(body), answered, tuple(arrivals), request_id)


def _why(error: Exception, timeout: float) -> str:
    """Say in a few words why there is no answer."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is refused: {error.certificate_error}"
    if type(error) is aiohttp.ClientConnectorError and error.errno:
        return f"no connection: {os.strerror(error.errno)}"
    said = (text.format(timeout) for kind, text in _CAUSES if isinstance(error, kind))
    return next(said, f"the connection failed ({type(error).__name__})")
