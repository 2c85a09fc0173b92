"""OpenAI responses: `POST /v1/responses`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from extproc.apis import answers
from extproc.apis.answers import UnreadableAnswer
from extproc.apis.edits import (
    AgentAnswer,
    Position,
    add_text,
    assistant_entry,
    encode,
    remove_elements,
)
from extproc.apis.entries import Entry, Misshapen, read_entries, role_of, text_of
from extproc.conversation import Message
from extproc.errors import InvalidRequest
from extproc.json_document import JsonObject
from extproc.json_scan import JsonValue

_SYSTEM_ROLES: Final = frozenset({"system", "developer"})
_ENDED: Final = (None, "completed", "incomplete")
"""The states of a response that is there; one cut off by a limit is what the agent had to say."""


def messages(document: JsonObject, limit: int) -> tuple[Message, ...]:
    """Return the conversation: the items of `input`, or the one user message that it is.

    Items that are no messages count too, so that indices are those of the body: outputs of tools
    have the role `tool`, all others (calls, reasoning, references) are an assistant's, textless.
    """
    if document.is_array("input"):
        return read_entries(document, "input", limit, _item)
    text = document.get("input")
    if text is None:
        raise InvalidRequest("input is missing")
    if not isinstance(text, str):
        raise InvalidRequest("input must be text or a list")
    if not text:
        raise InvalidRequest("input is empty")
    return (Message(role="user", text=text),)


def insert(document: JsonObject, index: int, said: Sequence[AgentAnswer]) -> JsonObject:
    """Put answers before the item at `index`, each with its agent as the author.

    A text as input becomes a list, the text's own spelling the content of its user message.
    """
    items = [assistant_entry(each, named=True) for each in said]
    if document.is_array("input"):
        return document.insert("input", index, items)
    start, end = document.places["input"]
    items.append(b'{"role": "user", "content": %s}' % document.body[start:end])
    return document.replace("input", b"[%s]" % b",".join(items))


def instruct(document: JsonObject, text: str, position: Position = "append") -> JsonObject:
    """Add to the member `instructions`.

    Replacing, system and developer messages of the input go too. An input of nothing else becomes
    the one message, as it must not be empty.
    """
    if position == "replace" and document.is_array("input"):
        said = [_instructs(item) for item in document.values("input")]
        if all(said):
            message = encode([{"role": "system", "content": text}])
            return document.remove("instructions").replace("input", message)
        indexes = [index for index, instructs in enumerate(said) if instructs]
        document = remove_elements(document, "input", indexes)
    return add_text(document, "instructions", text, position)


def whole_text(answer: JsonObject) -> str:
    """Return the text of a response: of the messages in its output.

    Agents written by hand may answer with the `output_text` alone, which OpenAI's libraries show.
    """
    if answer.get("status") not in _ENDED:
        raise UnreadableAnswer("the response is not complete")
    if not answer.is_array("output"):
        text = answer.get("output_text")
        if not isinstance(text, str):
            raise UnreadableAnswer("no list of output items")
        return text
    return "".join(
        answers.text_of(item.get("content"))
        for item in map(answers.members, answer.values("output"))
        if item.get("type") == "message"
    )


def streamed_text(events: Iterable[JsonObject]) -> str:
    """Return the text of the final response, or else of the deltas that came before it."""
    texts: list[str] = []
    for event in events:
        match event.get("type"):
            case "response.output_text.delta" | "response.refusal.delta":
                texts.append(answers.text_of(event.get("delta")))
            case "response.failed":
                raise UnreadableAnswer("the answer is an error")
            case "response.completed" | "response.incomplete":
                start, end = event.places.get("response", (0, 0))
                final = answers.read_object(event.body[start:end])
                return whole_text(final) or "".join(texts)
    raise UnreadableAnswer("the stream ended before the answer")


def _instructs(item: JsonValue) -> bool:
    return (
        isinstance(item, dict)
        and item.get("type") in {None, "message"}
        and item.get("role") in _SYSTEM_ROLES
    )


def _item(entry: Entry) -> Message:
    kind = entry.get("type")
    if kind is None:
        # A message may leave its type out, and so may a reference, which has no role.
        kind = "message" if "role" in entry else "item_reference"
    if not isinstance(kind, str):
        raise Misshapen("type", "text")
    if kind == "message":
        return Message(role=role_of(entry), text=text_of(entry.get("content")))
    # An approval answers an agent's request as a tool's output does.
    is_result = kind.endswith("_output") or kind == "mcp_approval_response"
    return Message(role="tool" if is_result else "assistant", text="")
