"""What `POST /route` is asked. Any web page can have a browser send something: it is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

LONGEST_TEXT: Final = 32 * 2**10
"""Bytes of a text that is tried."""
LONGEST_BODY: Final = 8 * LONGEST_TEXT
"""Bytes of a request: JSON writes some bytes as six."""

_OURS: Final = frozenset(("same-origin", "none"))
_KEYS: Final = frozenset(("text", "listener"))


class Refused(Exception):
    """The request is not answered; `status` as HTTP has it, the message for a person."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Asked:
    """A text, and the listener that is to decide about it."""

    text: str
    listener: str


async def read(request: web.Request, listeners: Sequence[str]) -> Asked:
    """Return what is asked of one of `listeners`. Raises `Refused`."""
    if not _is_ours(request):
        raise Refused(403, "other web sites may not ask")
    if request.content_type != "application/json":
        raise Refused(415, "the content-type must be application/json")
    try:
        body = json.loads(await request.read())
    except web.HTTPRequestEntityTooLarge:
        raise Refused(413, f"the text must have {LONGEST_TEXT} bytes at most") from None
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not valid JSON") from None
    return _asked(body, listeners)


def _is_ours(request: web.Request) -> bool:
    """Tell whether this is no browser, or one that shows our own page."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site not in _OURS:
        return False
    return origin is None or origin.partition("://")[2] == request.host


def _asked(body: Any, listeners: Sequence[str]) -> Asked:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(body, dict) or not isinstance(body.get("text"), str):
        raise Refused(400, "the body must be an object with a text")
    if not body.keys() <= _KEYS:
        raise Refused(400, "the keys are: text, listener")
    text, listener = body["text"], body.get("listener")
    # Half of a surrogate pair is legal in JSON.
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST_TEXT:
        raise Refused(413, f"the text must have {LONGEST_TEXT} bytes at most")
    if listener is None and len(listeners) == 1:
        return Asked(text, listeners[0])
    if not isinstance(listener, str) or listener not in listeners:
        raise Refused(400, f"listener: one of {', '.join(listeners)}")
    return Asked(text, listener)
