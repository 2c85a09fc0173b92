"""The client APIs by path, and the decoding that is the same for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, Protocol

from extproc.apis import anthropic, openai_chat, openai_responses
from extproc.apis.answers import stream, whole
from extproc.apis.edits import AgentAnswer, Position
from extproc.conversation import Api, Conversation, Message
from extproc.errors import InvalidRequest
from extproc.json_document import JsonObject, parse
from extproc.json_scan import JsonError


class Codec(Protocol):
    """What is particular to one API; its module is the codec."""

    def messages(self, document: JsonObject, limit: int) -> tuple[Message, ...]:
        """Return the conversation, an entry for each of the body's: 1 to `limit` of them.

        Raises `InvalidRequest` where there is none.
        """
        ...

    def insert(self, document: JsonObject, index: int, said: Sequence[AgentAnswer]) -> JsonObject:
        """Put answers before the entry at `index`, or at the end where that is their number."""
        ...

    def instruct(
        self, document: JsonObject, text: str, position: Position = "append"
    ) -> JsonObject:
        """Add a paragraph to what the system says, or let it say nothing else."""
        ...

    def whole_text(self, answer: JsonObject) -> str:
        """Return the text of an answer that is one object. Raises `UnreadableAnswer`."""
        ...

    def streamed_text(self, events: Iterable[JsonObject]) -> str:
        """Return the text of an answer that is a stream. Raises `UnreadableAnswer`."""
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

_APIS: Final[Mapping[str, Api]] = MappingProxyType({api.value: api for api in Api})
"""Calling the enum costs ten times as much."""

_INTRODUCTION: Final = "The agent %s has already answered the user's last message:\n%s"


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
        api=_APIS[path],
        document=document,
        model=model,
        messages=CODECS[path].messages(document, limits.max_conversation_messages),
        stream=bool(stream),
    )


def step_body(conversation: Conversation) -> JsonObject:
    """Return the body for an agent before the last: as it is, but not streamed.

    `stream_options` go with it: OpenAI and servers like it refuse them then.
    """
    document = conversation.document
    if document.get("stream") is not False:
        document = document.replace("stream", b"false")
    return document.remove("stream_options")


def insert_answers(
    conversation: Conversation,
    said: Sequence[AgentAnswer],
    where: Literal["assistant", "system"] = "assistant",
) -> Conversation:
    """Return the conversation with what agents answered so far.

    As messages of an assistant they stand before the turn's user message (at the end where there
    is none), so that it stays the turn. As part of what the system says each is a paragraph that
    names its agent. An answer that is blank adds nothing. Answers put in one after another stand
    as if put in at once; every other byte of the body survives.
    """
    said = [answer for answer in said if answer.text.strip()]
    if not said:
        return conversation
    codec = CODECS[conversation.api]
    document = conversation.document
    if where == "assistant":
        turn = conversation.turn
        index = len(conversation.messages) if turn is None else turn
        document = codec.insert(document, index, said)
    else:
        for answer in said:
            document = codec.instruct(document, _INTRODUCTION % (answer.agent, answer.text))
    count = len(conversation.messages) + len(said)
    messages = codec.messages(document, count)
    return conversation._replace(document=document, messages=messages)


def read_answer(api: Api, body: bytes) -> str:
    """Return the text of an agent's whole answer, streamed or not; `""` where it has none.

    Refusals are text; reasoning, calls of tools and media are not. The body says which form it
    has, so that a content type that is missing or wrong does no harm. Reading a stream takes the
    CPU some 0.1 s for a MiB.

    Raises:
        UnreadableAnswer: It is an error, cut short, of another API, or no answer at all. The
            message says why and quotes nothing.
    """
    codec = CODECS[api]
    answer = whole(body)
    return codec.streamed_text(stream(body)) if answer is None else codec.whole_text(answer)
