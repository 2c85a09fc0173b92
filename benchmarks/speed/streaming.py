"""Streams looked at one by one: when the first event comes, how fast the rest, who reads along."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from benchmarks.speed.cases import ALONE, EXPLICIT, UNCOUNTED, Load
from benchmarks.speed.envoys import MANAGER, Envoy
from benchmarks.speed.load import PATH
from benchmarks.speed.measuring import Bench
from benchmarks.speed.processes import Children
from benchmarks.speed.requests import MIB
from benchmarks.speed.setups import Front, Setup
from benchmarks.speed.stacks import Stack
from benchmarks.speed.statistics import turns

_EVENTS: Final = 1000
_MANY: Final = 300_000
"""Events of a stream whose rate is measured: what comes before the first one must not matter."""
_PAUSE: Final = 1
"""Milliseconds between events of the stream during which Envoy is asked what it has sent."""
_RECEIVED: Final = 2**20
_LONGEST: Final = 120.0
_END: Final = b"0\r\n\r\n"
_SENT: Final = rf"^http[.]{MANAGER.replace('.', '[.]')}[.]ext_proc[.].*[.]stream_msgs_sent$"
_SETUPS: Final = {
    ALONE: Setup(Front.ALONE, streams=True),
    EXPLICIT: Setup(streams=True),
    UNCOUNTED: Setup(streams=True, tokens=False),
}


@dataclass(frozen=True, slots=True)
class Streams:
    """Milliseconds to the first event and MiB a second from then on, of each stream by line.

    `before` are Envoy's messages to the processor of one paced stream until its first event,
    `after` those from then to its end.
    """

    first_event: dict[str, list[float]]
    rate: dict[str, list[float]]
    before: int
    after: int


def look(bench: Bench, streams: int) -> Streams:
    """Read so many streams of each, in turns. Raises `NotStarted` and OSError."""
    first: dict[str, list[float]] = {line: [] for line in _SETUPS}
    rate: dict[str, list[float]] = {line: [] for line in _SETUPS}
    with Children() as children:
        bench.progress("streams: one by one")
        folder = bench.place("one-by-one")
        stacks: dict[str, Stack] = {}
        for number, (line, setup) in enumerate(_SETUPS.items()):
            own = bench.place(folder.name, str(number))
            stacks[line] = bench.start(setup, bench.upstream, own, children)
            _read(stacks[line].url, _MANY)
        for _, line in turns(tuple(stacks), streams):
            first[line].append(_read(stacks[line].url, _EVENTS)[0] * 1000)
            _, seconds, size = _read(stacks[line].url, _MANY)
            rate[line].append(size / MIB / seconds)
        messages = _messages(stacks[EXPLICIT])
    return Streams(first, rate, *messages)


def _messages(stack: Stack) -> tuple[int, int]:
    """Return how many messages the processor is sent until the first event, and from then on."""
    envoy = stack.envoy
    assert envoy is not None
    sent = [_sent(envoy)]
    _read(stack.url, _EVENTS, _PAUSE, lambda: sent.append(_sent(envoy)))
    sent.append(_sent(envoy))
    return sent[1] - sent[0], sent[2] - sent[1]


def _sent(envoy: Envoy) -> int:
    return sum(envoy.stats(_SENT).values())


def _read(
    url: str, events: int, pause: int = 0, at_first: Callable[[], object] = lambda: None
) -> tuple[float, float, int]:
    """Read one stream; return the seconds to its first event and from then on, and its bytes.

    By hand, as a client that takes every chunk apart would be slower than what it looks at. Raises
    OSError where the stream is not whole.
    """
    place = urlsplit(url)
    body = Load(explicit=True).body(Setup().agents)
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: {place.netloc}\r\ncontent-type: application/json\r\n"
        f"x-bench-events: {events},{pause}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((place.hostname, place.port), timeout=_LONGEST) as connection:
        began = time.perf_counter()
        connection.sendall(head.encode() + body)
        received = bytearray()
        while b"data:" not in received:
            received += _more(connection)
        first = time.perf_counter()
        at_first()
        if not received.startswith(b"HTTP/1.1 200"):
            raise OSError(f"no stream: {bytes(received[:100])!r}")
        size, last = len(received), bytes(received[-len(_END) :])
        while last != _END:
            data = _more(connection)
            size, last = size + len(data), (last + data)[-len(_END) :]
        return first - began, time.perf_counter() - first, size


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(_RECEIVED)
    if not data:
        raise OSError("a stream broke off")
    return data
