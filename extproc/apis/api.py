"""The client APIs by path, and the decoding that is the same for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

from extproc.apis import anthropic, openai_chat, openai_responses
from extproc.conversation import Api, Conversation, Message
from extproc.errors import InvalidRequest
from extproc.json_document import JsonError, JsonObject, parse


class Codec(Protocol):
    """What is particular to one API; its module is the codec."""

    def messages(self, document: JsonObject, limit: int) -> tuple[Message, ...]:
        """Return the conversation, an entry for each of the body's: 1 to `limit` of them.

        Raises `InvalidRequest` where there is none.
        """
        ...


class DecodeLimits(Protocol):
    """How much of a body is read; the configuration's `limits` are one."""

    @property
    def max_json_depth(self) -> int:
        """Levels of nesting allowed."""
        ...

    @property
    def max_conversation_messages(self) -> int:
        """Entries of a conversation allowed."""
        ...


CODECS: Final[Mapping[str, Codec]] = MappingProxyType(
    {Api.CHAT: openai_chat, Api.MESSAGES: anthropic, Api.RESPONSES: openai_responses}
)
"""The codec of each path that is routed."""


def decode(path: str, body: bytes, limits: DecodeLimits) -> Conversation:
    """Read a request body by the API of its path, which must be one of `CODECS`.

    Only what deciding looks at is checked; the rest is between the client and the agent.

    Raises:
        InvalidRequest: The body is no conversation in that API. The message says what is wrong
            and where, and quotes nothing of the content.
    """
    try:
        document = parse(body, max_depth=limits.max_json_depth)
    except JsonError as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from None
    model = document.get("model")
    if not (model is None or isinstance(model, str)):
        raise InvalidRequest("model must be text")
    stream = document.get("stream")
    if not (stream is None or isinstance(stream, bool)):
        raise InvalidRequest("stream must be true or false")
    return Conversation(
        api=Api(path),
        document=document,
        model=model,
        messages=CODECS[path].messages(document, limits.max_conversation_messages),
        stream=bool(stream),
    )
