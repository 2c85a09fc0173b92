from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import h2.config
import h2.connection
import h2.events
import hpack
import pytest

from extproc.doctor import http2
from extproc.doctor.client import NoReply, Target, TooLate
from extproc.origin import parse_origin

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATH = "/v1/chat/completions"


@asynccontextmanager
async def serving(
    serve: Serve, *headers: tuple[str, str], patience: float = 20.0
) -> AsyncIterator[Target]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield Target(parse_origin(f"http://127.0.0.1:{port}/base"), headers, patience)
    server.close()


class Server:
    """Speaks HTTP/2 by a library, and keeps what came."""

    def __init__(self, *answer: tuple[str, Any]) -> None:
        self.answer = answer or (("send_headers", [(":status", "400")]), ("send_data", b"refused"))
        self.headers: list[tuple[str, str]] = []
        self.trailers: list[tuple[str, str]] = []
        self.body: bytes | None = None

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        protocol = h2.connection.H2Connection(config)
        protocol.initiate_connection()
        protocol.ping(b"12345678")
        writer.write(protocol.data_to_send())
        while data := await reader.read(2**16):
            for event in protocol.receive_data(data):
                self.take(protocol, event)
            writer.write(protocol.data_to_send())
        writer.close()

    def take(self, protocol: h2.connection.H2Connection, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived(headers=headers):
                self.headers = [(str(name), str(value)) for name, value in headers]
            case h2.events.DataReceived(data=data):
                self.body = (self.body or b"") + data
            case h2.events.TrailersReceived(headers=headers):
                self.trailers = [(str(name), str(value)) for name, value in headers]
            case h2.events.StreamEnded():
                last = len(self.answer) - 1
                for number, (method, value) in enumerate(self.answer):
                    getattr(protocol, method)(1, value, end_stream=number == last)


@pytest.mark.parametrize("body", [b"", b"{broken"])
async def test_a_request_that_ends_in_trailers(body: bytes) -> None:
    server = Server()
    long = "x" * 500
    async with serving(server, ("Authorization", long), ("host", "agents.test")) as target:
        answer = await http2.post_with_trailers(target, PATH, body, "id-1")
    assert answer == b"refused"
    assert server.headers == [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "agents.test"),
        (":path", "/base" + PATH),
        ("content-type", "application/json"),
        ("x-request-id", "id-1"),
        ("authorization", long),
    ]
    assert (server.body or b"", server.trailers) == (body, [("x-doctor", "end")])


async def test_an_answer_without_a_body() -> None:
    async with serving(Server(("send_headers", [(":status", "204")]))) as target:
        assert await http2.post_with_trailers(target, PATH, b"", "id") == b""


async def test_an_answer_in_pieces() -> None:
    pieces = (("send_data", b"a"), ("send_data", b"b"))
    async with serving(Server(("send_headers", [(":status", "200")]), *pieces)) as target:
        assert await http2.post_with_trailers(target, PATH, b"", "id") == b"ab"


async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    writer.close()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(len(http2.PREFACE))
    writer.write(http2.frame(http2.SETTINGS, 0, 0, b""))
    writer.write(http2.frame(http2.RST_STREAM, 0, 1, bytes(4)))
    writer.close()


async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.mark.parametrize(
    ("serve", "error", "why"),
    [
        (refuse, http2.NotSpoken, "speaks no HTTP/2"),
        (reset, NoReply, "was reset"),
        (hang_up, NoReply, "was closed without an answer"),
    ],
)
async def test_what_is_no_answer(serve: Serve, error: type[Exception], why: str) -> None:
    async with serving(serve) as target:
        with pytest.raises(error, match=why):
            await http2.post_with_trailers(target, PATH, b"", "id")


async def test_an_answer_that_does_not_come() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with serving(silent, patience=0.05) as target:
        with pytest.raises(TooLate, match=r"within 0.05 s$"):
            await http2.post_with_trailers(target, PATH, b"", "id")


@pytest.mark.parametrize("length", [0, 1, 126, 127, 128, 254, 255, 16_384])
def test_fields_of_any_length_are_read_by_others(length: int) -> None:
    fields = [("x-a", "v" * length)]
    decoded = hpack.Decoder(max_header_list_size=2**20).decode(http2.encode(fields))
    assert [(str(name), str(value)) for name, value in decoded] == fields
