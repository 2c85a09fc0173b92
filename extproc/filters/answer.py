"""An answer on its way back through a chain: whole, or event by event as it streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, ExitStack
from typing import Final, Self

from extproc.apis.sse import EventSplitter, EventTooLarge
from extproc.filters.api import FilterError, Form
from extproc.filters.bodies import read_events, read_object
from extproc.filters.chain import Chain, Setting, Visit
from extproc.filters.inflate import Inflater
from extproc.filters.stream import StreamRun
from extproc.http import HeaderPairs, Headers
from extproc.off_loop import off_loop

_EVENTS: Final = "text/event-stream"
OF_THE_BYTES: Final = ("content-encoding", "etag", "content-md5", "digest", "repr-digest")
"""Headers that speak of the very bytes: false once these are others. (`content-length` is set.)"""


class AnswerRun(AbstractContextManager["AnswerRun"]):
    """One answer through a chain. Must be entered; leaving it records what each filter did.

    `feed` and `close` yield the bytes that may go on now, and raise `FilterDenied` and
    `FilterFailed`; nothing more may come then. An event stream comes out event by event, anything
    else at the end: at most `max_bytes` are held.
    """

    def __init__(self, chain: Chain, setting: Setting, headers: Headers, max_bytes: int) -> None:
        self._chain = chain
        self._setting = setting
        self._headers = headers
        self._max_bytes = max_bytes
        self._exits = ExitStack()
        self._stream: StreamRun | None = None
        self._splitter = EventSplitter(max_bytes)
        self._inflater: Inflater | None = None
        self._too_large = f"the answer has more than {max_bytes} bytes"
        self._raw = bytearray()
        self._passing = False
        self.changed = False
        """True where the bytes are not those that the agent sent."""
        self.tags: HeaderPairs = ()

    def __enter__(self) -> Self:
        content_type = (self._headers.get("content-type") or "").partition(";")[0].strip().lower()
        if content_type == _EVENTS:
            self._stream = self._exits.enter_context(StreamRun(self._chain, self._setting))
        encodings = ",".join(self._headers.get_all("content-encoding")).lower().split(",")
        try:
            self._inflater = Inflater(each.strip() for each in encodings)
        except FilterError as error:
            self._unreadable = str(error)
        return self

    def __exit__(self, *_error: object) -> None:
        self._exits.close()

    @property
    def streams(self) -> bool:
        """True for an event stream."""
        return self._stream is not None

    async def feed(self, data: bytes) -> AsyncIterator[bytes]:
        """Take the next bytes of the body."""
        if self._passing:
            yield data
        elif self._inflater is None:
            yield self._pass(self._unreadable, data)
        elif self._stream is not None:
            async for piece in self._feed_stream(self._stream, self._inflater, data):
                yield piece
        else:
            self._raw += data
            if len(self._raw) > self._max_bytes:
                yield self._pass(self._too_large, b"")

    async def close(self) -> AsyncIterator[bytes]:
        """Take the end of the body."""
        if self._passing:
            return
        if self._stream is not None:
            rest = self._splitter.close()
            async for piece in self._stream.feed((rest,) if rest is not None else ()):
                yield piece
            async for piece in self._stream.close():
                yield piece
        elif self._raw and self._inflater is not None:
            yield await self._whole(self._inflater)

    async def _feed_stream(
        self, stream: StreamRun, inflater: Inflater, data: bytes
    ) -> AsyncIterator[bytes]:
        self.changed = True
        try:
            for inflated in inflater.feed(data):
                async for piece in stream.feed(self._splitter.feed(inflated)):
                    yield piece
        except (EventTooLarge, FilterError) as error:
            stream.fail(str(error))
            self._passing = True
            async for piece in stream.close():
                yield piece
            rest = self._splitter.close()
            yield rest.raw if rest is not None else b""

    async def _whole(self, inflater: Inflater) -> bytes:
        body = bytearray()
        try:
            for piece in inflater.feed(bytes(self._raw)):
                body += piece
                if len(body) > self._max_bytes:
                    return self._pass(self._too_large, b"")
        except FilterError as error:
            return self._pass(str(error), b"")
        sent, self._raw = bytes(self._raw), bytearray()
        changed = await self._run(bytes(body))
        self.changed = changed is not None
        return sent if changed is None else changed

    async def _run(self, body: bytes) -> bytes | None:
        """Put a whole body through the chain; None where nobody changed it."""
        form = await off_loop(len(body), _form, body)
        if form is Form.EVENTS:
            # Sent under another content type, or none.
            with StreamRun(self._chain, self._setting) as stream:
                pieces = [piece async for piece in stream.feed(read_events(body))]
                return b"".join([*pieces, *[piece async for piece in stream.close()]])
        accept = read_object if form is Form.JSON else bytes
        outcome = await self._chain.run(body, self._setting, accept, form)
        self.tags = outcome.tags
        return outcome.changed

    def _pass(self, reason: str, data: bytes) -> bytes:
        """Let the answer go on as it is, if no filter insists. Raises `FilterFailed`."""
        for link in self._chain.links if self._stream is None else ():
            with Visit(link, self._setting, self._chain.tracer) as visit:
                visit.fail(reason)
        if self._stream is not None:
            self._stream.fail(reason)
        self._passing = True
        held, self._raw = bytes(self._raw), bytearray()
        return held + data


async def filter_whole(
    chain: Chain, setting: Setting, headers: Headers, body: bytes, max_bytes: int
) -> bytes:
    """Return a whole answer as a chain leaves it. Raises `FilterDenied` and `FilterFailed`."""
    if not chain.links:
        return body
    with AnswerRun(chain, setting, headers, max_bytes) as run:
        pieces = [piece async for piece in run.feed(body)]
        return b"".join([*pieces, *[piece async for piece in run.close()]])


def _form(body: bytes) -> Form:
    """Return what a body is, whatever its content type says."""
    try:
        read_object(body)
    except FilterError:
        pass
    else:
        return Form.JSON
    try:
        events = read_events(body)
    except FilterError:
        return Form.OTHER
    return Form.EVENTS if any(event.data is not None for event in events) else Form.OTHER
