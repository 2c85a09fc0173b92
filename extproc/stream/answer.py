"""The ext_proc stream of one answer as a state machine without I/O.

Envoy sends headers, body and trailers as they come (FULL_DUPLEX_STREAMED) and waits for none of
our messages, so that the headers can be kept until it is known what they must be:

    HELD    bytes or the end may go on   -> FLOWING  Reply, Chunk   (the headers first)
    HELD    refused                      -> DONE     Respond        (an error like any other)
    FLOWING bytes may go on              -> FLOWING  Chunk
    FLOWING refused                      -> DONE     Chunk          (an error event, and the end)
    any     the end of the body          -> DONE     Chunk
    any     trailers                     -> DONE     Chunk, Reply

In DONE the stream is over, whatever the agent still sends.
"""

from __future__ import annotations

from extproc.errors import Reject
from extproc.http import Metadata, Mutations
from extproc.stream.commands import Chunk, Reply, Respond, Slot

AnswerCommand = Reply | Chunk | Respond


class AnswerMachine:
    """One answer on its way to the client of `path`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._flowing = False
        self.done = False

    def proceed(self, data: bytes, head: Mutations) -> list[AnswerCommand]:
        """Let bytes go on, under the headers as `head` changes them; no bytes are no message."""
        if not data:
            return []
        return [*self._head(head), Chunk(data, end_of_stream=False)]

    def finish(
        self, data: bytes, head: Mutations, metadata: Metadata, *, trailers: bool
    ) -> list[AnswerCommand]:
        """Let the last bytes go on, and with `trailers` the trailers that follow them."""
        self.done = True
        begin = self._head(head)
        if not trailers:
            return [*begin, Chunk(data, end_of_stream=True, metadata=metadata)]
        chunks = [Chunk(data, end_of_stream=False)] if data else []
        return [*begin, *chunks, Reply(Slot.RESPONSE_TRAILERS, metadata=metadata)]

    def headers_only(self, head: Mutations) -> list[AnswerCommand]:
        """Let an answer without a body go on."""
        self.done = True
        return self._head(head)

    def refuse(self, reject: Reject, event: bytes, metadata: Metadata) -> list[AnswerCommand]:
        """End the answer: by an error, or by an `event` where the client has some of it already."""
        self.done = True
        if self._flowing:
            return [Chunk(event, end_of_stream=True, metadata=metadata)]
        return [Respond(reject, self._path, metadata)]

    def _head(self, head: Mutations) -> list[AnswerCommand]:
        if self._flowing:
            return []
        self._flowing = True
        return [Reply(Slot.RESPONSE_HEADERS, head)]
