"""A client's conversation, whatever API it came in: what deciding and filters look at."""

from __future__ import annotations

import enum
from typing import NamedTuple

from extproc.json_document import JsonObject


class Api(enum.StrEnum):
    """The client APIs, by their path."""

    CHAT = "/v1/chat/completions"
    MESSAGES = "/v1/messages"
    RESPONSES = "/v1/responses"


class Message(NamedTuple):
    """One entry of the conversation, at the same index as in the body.

    `role` is the API's own (`system`, `developer`, `user`, `assistant`), but `tool` for any entry
    that carries only tool results. `text` joins the text parts by newlines; other parts (images,
    audio, tool calls) add nothing. `name` is the author's, as chat completions carry it.
    """

    role: str
    text: str
    name: str | None = None

    def __repr__(self) -> str:
        # A log line that shows a conversation must never carry a prompt.
        return f"Message(role={self.role!r}, name={self.name!r})"


class Conversation(NamedTuple):
    """A decoded request body. `document` keeps the client's bytes, which nothing here changes."""

    api: Api
    document: JsonObject
    model: str | None
    messages: tuple[Message, ...]
    stream: bool = False

    @property
    def is_continuation(self) -> bool:
        """True when the last entries are tool results: the agent that asked for them goes on."""
        return bool(self.messages) and self.messages[-1].role == "tool"

    @property
    def turn(self) -> int | None:
        """Index of the user message that this turn answers, or None where there is none."""
        for index in range(len(self.messages) - 1, -1, -1):
            if self.messages[index].role == "user":
                return index
        return None
