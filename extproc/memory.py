"""What is remembered between requests: decisions, and the agent of a session. Both are bounded."""

from __future__ import annotations

import hashlib
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from extproc.conversation import Message

T = TypeVar("T")
Key = bytes


def digest(parts: Iterable[str]) -> Key:
    """Return a key that no other sequence of texts has."""
    texts = list(parts)
    # How long each is, and their number first, tells where they end in what they are together.
    hasher = hashlib.blake2b(array("Q", [len(texts), *map(len, texts)]), digest_size=16)
    # Lone surrogates are legal in a conversation.
    hasher.update("".join(texts).encode("utf-8", "surrogatepass"))
    return hasher.digest()


def message_parts(messages: Iterable[Message]) -> Iterable[str]:
    """Return the texts of messages that make up their part of a key."""
    for message in messages:
        yield message.role
        yield message.name or ""
        yield message.text


class Memory(Generic[T]):
    """Values by key, at most `entries` of them, the least recently used leaving first.

    `ttl` is in seconds; None keeps values until they have to leave. Not for use across threads.
    """

    def __init__(
        self, entries: int, ttl: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._entries = entries
        self._ttl = ttl
        self._clock = clock
        self._values: OrderedDict[Key, tuple[float, T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> T | None:
        """Return the value of a key that is neither forgotten nor too old."""
        found = self._values.get(key)
        if found is None:
            return None
        stored, value = found
        if self._ttl is not None and self._clock() - stored > self._ttl:
            del self._values[key]
            return None
        self._values.move_to_end(key)
        return value

    def put(self, key: Key, value: T) -> None:
        """Remember a value; the oldest one leaves where there is no room."""
        self._values[key] = (self._clock(), value)
        self._values.move_to_end(key)
        if len(self._values) > self._entries:
            self._values.popitem(last=False)
