"""What the APIs have in common: entries of a conversation, and the text of their parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from extproc.conversation import Message
from extproc.errors import InvalidRequest
from extproc.json_document import JsonObject
from extproc.json_scan import JsonValue

Entry: TypeAlias = Mapping[str, JsonValue]

_TEXT_PARTS: Final = ("text", "input_text", "output_text")


class Misshapen(Exception):
    """An entry is not as its API has it: `where` within the entry, and `what` it must be."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(where, what)
        self.where = where
        self.what = what


def read_entries(
    document: JsonObject, name: str, limit: int, read: Callable[[Entry], Message]
) -> tuple[Message, ...]:
    """Read each entry of the array `name`; no more than `limit` of them, at least one.

    Raises:
        InvalidRequest: The array is not there or not such a conversation; the message names the
            place and quotes nothing.
    """
    if not document.is_array(name):
        missing = name not in document
        raise InvalidRequest(f"{name} is missing" if missing else f"{name} must be a list")
    messages: list[Message] = []
    for index, entry in enumerate(document.values(name)):
        if index == limit:
            raise InvalidRequest(f"{name} has more than {limit} entries")
        if not isinstance(entry, dict):
            raise InvalidRequest(f"{name}[{index}] must be an object")
        try:
            messages.append(read(entry))
        except Misshapen as fault:
            raise InvalidRequest(f"{name}[{index}].{fault.where} must be {fault.what}") from None
    if not messages:
        raise InvalidRequest(f"{name} is empty")
    return tuple(messages)


def role_of(entry: Entry) -> str:
    """Return the entry's role, which every API has as text."""
    role = entry.get("role")
    if not isinstance(role, str):
        raise Misshapen("role", "text")
    return role


def text_of(content: JsonValue) -> str:
    """Join the text of a content (text, a list of parts, or nothing) by newlines."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if not isinstance(content, list):
        raise Misshapen("content", "text or a list of parts")
    texts = (
        part.get("text")
        for part in content
        if isinstance(part, dict) and part.get("type") in _TEXT_PARTS
    )
    return "\n".join(text for text in texts if isinstance(text, str))
