"""Anthropic messages: `POST /v1/messages`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from extproc.apis import answers
from extproc.apis.answers import UnreadableAnswer
from extproc.apis.edits import AgentAnswer, Position, add_text, assistant_entry
from extproc.apis.entries import Entry, read_entries, role_of, text_of
from extproc.conversation import Message
from extproc.json_document import JsonObject


def messages(document: JsonObject, limit: int) -> tuple[Message, ...]:
    """Return the conversation: the entries of `messages`. The member `system` is none of them."""
    return read_entries(document, "messages", limit, _message)


def insert(document: JsonObject, index: int, said: Sequence[AgentAnswer]) -> JsonObject:
    """Put answers before the message at `index`; a message has no author in this API."""
    return document.insert("messages", index, [assistant_entry(each, named=False) for each in said])


def instruct(document: JsonObject, text: str, position: Position = "append") -> JsonObject:
    """Add to the member `system`, a text or a list of text blocks, or replace it."""
    return add_text(document, "system", text, position)


def whole_text(answer: JsonObject) -> str:
    """Return the text of a message."""
    if not answer.is_array("content"):
        raise UnreadableAnswer("no list of content blocks")
    return answers.text_of(answer.get("content"))


def streamed_text(events: Iterable[JsonObject]) -> str:
    """Return the text of the content blocks, up to `message_stop`."""
    texts: list[str] = []
    for event in events:
        match event.get("type"):
            case "content_block_start":
                texts.append(answers.text_of([event.get("content_block")]))
            case "content_block_delta":
                delta = answers.members(event.get("delta"))
                if delta.get("type") == "text_delta":
                    texts.append(answers.text_of(delta.get("text")))
            case "message_stop":
                return "".join(texts)
    raise UnreadableAnswer("the stream ended before the answer")


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
