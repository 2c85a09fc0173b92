"""What is kept of a conversation, where `observability.capture_prompts` asks for it."""

from __future__ import annotations

from typing import Final

from extproc.conversation import Conversation


class Captured(tuple[tuple[str, str], ...]):
    """Roles and texts, the oldest first. A log line that shows it shows none of them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} messages>"


NOTHING: Final = Captured()

_ROLES: Final = frozenset({"system", "developer", "user", "assistant"})
_MOST_MESSAGES: Final = 16
_MOST_CHARACTERS: Final = 8192


def capture(conversation: Conversation) -> Captured:
    """Return the last messages that have text, at most 16 of 8,192 characters together."""
    kept: list[tuple[str, str]] = []
    left = _MOST_CHARACTERS
    for message in reversed(conversation.messages):
        if not left or len(kept) == _MOST_MESSAGES:
            break
        if message.role in _ROLES and message.text.strip():
            kept.append((message.role, message.text[:left]))
            left -= len(kept[-1][1])
    return Captured(reversed(kept))
