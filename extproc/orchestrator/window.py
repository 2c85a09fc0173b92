"""The part of a conversation that decides: recent, of user and assistant, within a budget."""

from __future__ import annotations

from typing import Final

from extproc.conversation import Conversation, Message

MESSAGES: Final = 16
BUDGET: Final = 16_000
"""Bytes of text, about 4,000 tokens: four bytes a token is the usual estimate."""

TURN_BUDGET: Final = 8_000
MESSAGE_BUDGET: Final = 2_000
"""Earlier messages only help to understand the turn: a long one must not push out the others."""

MARKER: Final = "\n[...]\n"
_SPEAKERS: Final = frozenset({"user", "assistant"})
_SHORTEST: Final = 64


def window(conversation: Conversation) -> tuple[Message, ...]:
    """Return what a decision is taken by, oldest first: at most `MESSAGES`, `BUDGET` bytes.

    It ends with the turn's user message, so that a continuation is decided as its turn was.
    Messages without text are left out; long ones lose their middle. The texts are valid UTF-8.
    """
    turn = conversation.turn
    end = len(conversation.messages) if turn is None else turn + 1
    chosen: list[Message] = []
    rest = BUDGET
    for index in range(end - 1, -1, -1):
        message = conversation.messages[index]
        if message.role not in _SPEAKERS or not (text := message.text.strip()):
            continue
        if len(chosen) == MESSAGES or rest < _SHORTEST:
            break
        text = shorten(text, min(rest, TURN_BUDGET if index == turn else MESSAGE_BUDGET))
        rest -= len(text.encode())
        chosen.append(Message(message.role, text))
    return tuple(reversed(chosen))


def shorten(text: str, limit: int) -> str:
    """Cut the middle out of a text of more than `limit` bytes, and say so by `MARKER`.

    The beginning often says what is wanted of a pasted text, and so does the end.
    """
    # Characters first: a text of megabytes is not encoded for its two ends.
    head, tail = _encode(text[:limit]), _encode(text[-limit:])
    if len(text) <= limit and len(head) <= limit:
        return head.decode()
    half = (limit - len(MARKER)) // 2
    return head[:half].decode(errors="ignore") + MARKER + tail[-half:].decode(errors="ignore")


def _encode(text: str) -> bytes:
    """Lone surrogates, which JSON can carry and UTF-8 cannot, become question marks."""
    return text.encode(errors="replace")
