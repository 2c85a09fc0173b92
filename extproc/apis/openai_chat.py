"""OpenAI chat completions: `POST /v1/chat/completions`."""

from __future__ import annotations

from typing import Final

from extproc.apis.entries import Entry, read_entries, role_of, text_of
from extproc.conversation import Message
from extproc.json_document import JsonObject

_TOOL_ROLES: Final = frozenset({"tool", "function"})


def messages(document: JsonObject, limit: int) -> tuple[Message, ...]:
    """Return the conversation: the entries of `messages`."""
    return read_entries(document, "messages", limit, _message)


def _message(entry: Entry) -> Message:
    role = role_of(entry)
    name = entry.get("name")
    return Message(
        role="tool" if role in _TOOL_ROLES else role,
        text=text_of(entry.get("content")),
        name=name if isinstance(name, str) else None,
    )
