"""As much of HTTP/2 (RFC 9113) as one request with trailers needs, which no HTTP/1.1 client sends.

Header fields go out as literals (RFC 7541, section 6.2.2); those that come in are not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from extproc import names
from extproc.doctor.client import NoReply, Target, TooLate

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA: Final = 0
HEADERS: Final = 1
RST_STREAM: Final = 3
SETTINGS: Final = 4
PING: Final = 6

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4

_STREAM: Final = 1
_FRAME_HEADER: Final = 9
_LARGEST_FRAME: Final = 2**14
"""Bytes: nobody may send larger ones unasked."""
_LONGEST_ANSWER: Final = 2**15
_LONGEST_PREFIX: Final = 0x7F


class NotSpoken(Exception):
    """The gateway speaks no HTTP/2 here; the text says how that was seen."""


async def post_with_trailers(target: Target, path: str, body: bytes, request_id: str) -> bytes:
    """Return the beginning of the body that answers a POST which ends in trailers.

    An empty `body` is none at all: trailers follow the headers. Raises `NotSpoken` and `NoReply`.
    """
    origin = target.origin
    fields = [
        (":method", "POST"),
        (":scheme", origin.scheme),
        (":authority", target.host),
        (":path", origin.path_prefix + path),
        ("content-type", "application/json"),
        (names.HEADER_REQUEST_ID, request_id),
        *((name.lower(), value) for name, value in target.headers if name.lower() != "host"),
    ]
    frames = [
        PREFACE + frame(SETTINGS, 0, 0, b""),
        frame(HEADERS, END_HEADERS, _STREAM, encode(fields)),
        frame(DATA, 0, _STREAM, body) if body else b"",
        frame(HEADERS, END_HEADERS | END_STREAM, _STREAM, encode([("x-doctor", "end")])),
    ]
    try:
        async with asyncio.timeout(target.timeout):
            return await _exchange(target, b"".join(frames))
    except TimeoutError:
        raise TooLate(f"no answer within {target.timeout:g} s") from None
    except (OSError, asyncio.IncompleteReadError) as error:
        raise NoReply("the connection was closed without an answer") from error


async def _exchange(target: Target, request: bytes) -> bytes:
    address = target.origin.address
    tls = target.tls.context("h2", "http/1.1") if target.origin.tls else None
    reader, writer = await asyncio.open_connection(
        address.host,
        address.port,
        ssl=tls,
        server_hostname=target.server_name if tls is not None else None,
    )
    try:
        session = writer.get_extra_info("ssl_object")
        if session is not None and session.selected_alpn_protocol() != "h2":
            raise NotSpoken("the gateway offers no HTTP/2")
        writer.write(request)
        await writer.drain()
        return await _answer(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    answer = b""
    first = True
    while len(answer) < _LONGEST_ANSWER:
        head = await reader.readexactly(_FRAME_HEADER)
        length, kind, flags = int.from_bytes(head[:3]), head[3], head[4]
        stream = int.from_bytes(head[5:]) & 0x7FFFFFFF
        if length > _LARGEST_FRAME or (first and kind != SETTINGS):
            raise NotSpoken("the gateway speaks no HTTP/2 here")
        first = False
        payload = await reader.readexactly(length)
        if kind in {SETTINGS, PING} and not flags & ACK:
            writer.write(frame(kind, ACK, 0, payload if kind == PING else b""))
        if stream != _STREAM:
            continue
        if kind == RST_STREAM:
            raise NoReply("the request was reset")
        if kind == DATA:
            answer += payload
        if kind in {DATA, HEADERS} and flags & END_STREAM:
            break
    return answer


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return a frame; its payload must be within the size that may be sent unasked."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def encode(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return header fields as literals that nobody keeps, and without Huffman coding."""
    return b"".join(
        b"\x00" + _string(name.encode()) + _string(value.encode()) for name, value in fields
    )


def _string(text: bytes) -> bytes:
    return _integer(len(text)) + text


def _integer(value: int) -> bytes:
    """Return a number with a prefix of seven bits (RFC 7541, section 5.1)."""
    if value < _LONGEST_PREFIX:
        return bytes((value,))
    rest, encoded = value - _LONGEST_PREFIX, bytearray((_LONGEST_PREFIX,))
    while rest >= 2**7:
        encoded.append(rest % 2**7 | 2**7)
        rest //= 2**7
    encoded.append(rest)
    return bytes(encoded)
