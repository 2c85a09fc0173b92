"""A model, a filter and a streaming agent in one small server: `python -m ... services`.

Prints its port. What a path begins with says what it is:

    /model/MILLISECONDS/JITTER/AGENT   decides for an agent, after that time give or take the jitter
    /filter                            leaves every request as it is
    anything else                      a stream of events; the header `x-bench-events` says how many
                                       and how many milliseconds apart: `1000,0`
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
from typing import Final

import uvloop

_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_EVENTS: Final = re.compile(rb"\r\nx-bench-events: (\d+),(\d+)", re.IGNORECASE)
_MODEL: Final = re.compile(rb"POST /model/(\d+)/(\d+)/([^/]+)/")
_UNCHANGED: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
_STREAM: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
_AT_ONCE: Final = 50
"""Events of one write, where they come without a pause."""
_CHUNK: Final = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "agent"}


def _event(number: int) -> bytes:
    choice = {"index": 0, "delta": {"content": f"word{number:06} "}, "finish_reason": None}
    return _chunk(json.dumps({**_CHUNK, "choices": [choice]}))


def _chunk(data: str) -> bytes:
    event = f"data: {data}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(event), event)


def _decision(agent: str) -> bytes:
    content = json.dumps({"route": [agent]})
    message = {"role": "assistant", "content": content}
    body = json.dumps({"choices": [{"index": 0, "message": message}]}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


class Connection(asyncio.Protocol):
    """One connection, that has one request at a time."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._needed = 0
        self._head = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # of TCP
        """Begin."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Give up what is yet to be sent."""
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer once the request is whole."""
        self._received += data
        if not self._head:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head = bytes(self._received[: end + 2])
            length = _LENGTH.search(self._head)
            self._needed = end + 4 + (int(length[1]) if length else 0)
        if len(self._received) >= self._needed:
            head, self._head = self._head, b""
            self._received.clear()
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if head.startswith(b"POST /filter"):
            self._transport.write(_UNCHANGED)
        elif model := _MODEL.match(head):
            least, jitter = int(model[1]), int(model[2])
            answer = _decision(model[3].decode())
            if not least:
                self._transport.write(answer)
                return
            seconds = random.uniform(least - jitter, least + jitter) / 1000
            asyncio.get_running_loop().call_later(seconds, self._transport.write, answer)
        else:
            asked = _EVENTS.search(head)
            events, pause = (int(asked[1]), int(asked[2])) if asked else (1, 0)
            if pause:
                task = asyncio.get_running_loop().create_task(self._paced(events, pause / 1000))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                self._transport.writelines(_whole(events))

    async def _paced(self, events: int, pause: float) -> None:
        self._transport.write(_STREAM)
        for number in range(events):
            self._transport.write(_event(number))
            await asyncio.sleep(pause)
        self._transport.write(_END)


_END: Final = _chunk("[DONE]") + b"0\r\n\r\n"
_STREAMS: Final[dict[int, list[bytes]]] = {}


def _whole(events: int) -> list[bytes]:
    if events not in _STREAMS:
        pieces = [_event(number) for number in range(events)]
        joined = (pieces[at : at + _AT_ONCE] for at in range(0, events, _AT_ONCE))
        _STREAMS[events] = [_STREAM, *(b"".join(each) for each in joined), _END]
    return _STREAMS[events]


async def main() -> None:
    """Serve until this process is ended."""
    server = await asyncio.get_running_loop().create_server(
        Connection, "127.0.0.1", 0, backlog=4096
    )
    sys.stdout.write(f"port {server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
