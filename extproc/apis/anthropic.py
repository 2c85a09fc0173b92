"""Anthropic messages: `POST /v1/messages`."""

from __future__ import annotations

from extproc.apis.entries import Entry, read_entries, role_of, text_of
from extproc.conversation import Message
from extproc.json_document import JsonObject


def messages(document: JsonObject, limit: int) -> tuple[Message, ...]:
    """Return the conversation: the entries of `messages`. The member `system` is none of them."""
    return read_entries(document, "messages", limit, _message)


def _message(entry: Entry) -> Message:
    role = "tool" if _is_tool_result(entry) else role_of(entry)
    return Message(role=role, text=text_of(entry.get("content")))


def _is_tool_result(entry: Entry) -> bool:
    """Tell whether a user message only brings results: with text beside them it is a question."""
    content = entry.get("content")
    return (
        entry.get("role") == "user"
        and isinstance(content, list)
        and bool(content)
        and all(isinstance(block, dict) and block.get("type") == "tool_result" for block in content)
    )
