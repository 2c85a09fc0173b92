"""Reading what filters give back: a body that cannot go on is the filter's failure."""

from __future__ import annotations

import re
from typing import Final

from extproc.apis.api import decode
from extproc.apis.sse import Event, EventSplitter, EventTooLarge
from extproc.config.model.root import Limits
from extproc.conversation import Api, Conversation
from extproc.errors import InvalidRequest
from extproc.filters.api import FilterError
from extproc.filters.chain import Accept
from extproc.json_document import parse
from extproc.json_scan import MAX_DEPTH, JsonError

_LINE: Final = re.compile(rb"(?::|(?:data|event|id|retry)(?::|$))")


def conversation_reader(api: Api, limits: Limits) -> Accept[Conversation]:
    """Return what reads a request: it must still be a conversation of its API, within limits."""

    def read(body: bytes) -> Conversation:
        if len(body) > limits.max_request_bytes:
            raise FilterError(f"it gave back more than {limits.max_request_bytes} bytes")
        try:
            return decode(api, body, limits)
        except InvalidRequest as error:
            raise FilterError(f"it gave back no conversation: {error.message}") from None

    return read


def read_object(body: bytes) -> bytes:
    """Return a whole answer, which must be a JSON object. Raises `FilterError`."""
    try:
        parse(body, max_depth=MAX_DEPTH)
    except JsonError as error:
        raise FilterError(f"it gave back no JSON object: {error}") from None
    return body


def read_events(body: bytes) -> tuple[Event, ...]:
    """Return the events of a body, none of an empty one.

    The last one may lack its blank line: it is put there. Raises `FilterError` where a line is
    none of an event stream.
    """
    lines = body.splitlines()
    if not all(_LINE.match(line) for line in lines if line):
        raise FilterError("it gave back no events")
    if not any(lines):
        return ()
    if lines[-1]:
        body = body.rstrip(b"\r\n") + b"\n\n"
    splitter = EventSplitter(len(body))
    try:
        events = splitter.feed(body)
    except EventTooLarge as error:
        raise FilterError(str(error)) from None
    # A lone CR at the end: it may be half of a CRLF, or the blank line.
    rest = splitter.close()
    return (*events, rest) if rest is not None and rest.raw.strip() else tuple(events)
