"""What doctor sends: harmless, small, and mostly refused before any agent sees it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

BROKEN: Final = b'{"messages": ["outerloop-doctor'
"""No JSON: the processor refuses it, and no agent is asked."""

_CHUNK: Final = 2**16


def ping(text: str = "ping", *, model: str | None = None) -> bytes:
    """Return a conversation of one word, whose answer may have one token."""
    return _conversation(text, model, max_tokens=1)


def count(model: str) -> bytes:
    """Return a conversation whose answer is streamed, and long enough to be seen doing so."""
    return _conversation("Count from 1 to 20.", model, max_tokens=64, stream=True)


def _conversation(text: str, model: str | None, **more: Any) -> bytes:  # noqa: ANN401 - JSON
    named = {} if model is None else {"model": model}
    messages = [{"role": "user", "content": text}]
    return json.dumps({**named, "messages": messages, **more}).encode()


@dataclass(frozen=True, slots=True)
class Filler:
    """A body of `size` bytes that breaks off within a text, made while it is sent."""

    size: int

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        piece = b'{"messages": [{"role": "user", "content": "'
        left = self.size
        while left > 0:
            yield piece[:left]
            left -= len(piece)
            piece = b"x" * _CHUNK
