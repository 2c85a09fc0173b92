"""OpenAI chat completions: `POST /v1/chat/completions`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from extproc.apis import answers
from extproc.apis.answers import DONE, UnreadableAnswer
from extproc.apis.edits import (
    AgentAnswer,
    Position,
    add_text,
    assistant_entry,
    encode,
    remove_elements,
)
from extproc.apis.entries import Entry, read_entries, role_of, text_of
from extproc.conversation import Message
from extproc.json_document import JsonObject, parse
from extproc.json_scan import MAX_DEPTH, JsonValue

_TOOL_ROLES: Final = frozenset({"tool", "function"})
_SYSTEM_ROLES: Final = frozenset({"system", "developer"})


def messages(document: JsonObject, limit: int) -> tuple[Message, ...]:
    """Return the conversation: the entries of `messages`."""
    return read_entries(document, "messages", limit, _message)


def insert(document: JsonObject, index: int, said: Sequence[AgentAnswer]) -> JsonObject:
    """Put answers before the message at `index`, each with its agent as the author."""
    return document.insert("messages", index, [assistant_entry(each, named=True) for each in said])


def instruct(document: JsonObject, text: str, position: Position = "append") -> JsonObject:
    """Add to the first system or developer message with a content, else put one at the start.

    Replacing, it stands where the first of them was, with its role, and the others go.
    """
    if position == "replace":
        return _replace_system(document, text)
    for (start, end), entry in document.elements("messages"):
        if _instructs(entry):
            message = parse(document.body[start:end], max_depth=MAX_DEPTH)
            changed = add_text(message, "content", text, position)
            return document.splice("messages", (start, end), changed.body)
    return document.insert("messages", 0, [encode({"role": "system", "content": text})])


def whole_text(answer: JsonObject) -> str:
    """Return the text of the first choice of a completion."""
    choice = _first_choice(answer)
    if choice is None:
        raise UnreadableAnswer("no choice")
    return _said(answers.members(choice.get("message")))


def streamed_text(events: Iterable[JsonObject]) -> str:
    """Return the text of the first choice: all its deltas, up to the end of the stream.

    It is whole where the choice has a `finish_reason`, or `[DONE]` follows it.
    """
    texts: list[str] = []
    finished = False
    for event in events:
        choice = _first_choice(event)
        if choice is not None:
            texts.append(_said(answers.members(choice.get("delta") or {})))
            finished = finished or bool(choice.get("finish_reason"))
        elif event is DONE:
            finished = bool(texts)
    if not finished:
        raise UnreadableAnswer("the stream ended before the answer")
    return "".join(texts)


def _first_choice(answer: JsonObject) -> Mapping[str, JsonValue] | None:
    """Return the choice of index 0, if it is there; a missing index is 0."""
    choices = answer.get("choices")
    if choices is None:
        return None
    if not isinstance(choices, list):
        raise UnreadableAnswer("the choices are not a list")
    first = next((each for each in map(answers.members, choices) if not each.get("index")), None)
    if first is not None and first.get("finish_reason") == "error":
        raise UnreadableAnswer("the answer is an error")
    return first


def _replace_system(document: JsonObject, text: str) -> JsonObject:
    said = [
        (index, place, entry["role"])
        for index, (place, entry) in enumerate(document.elements("messages"))
        if isinstance(entry, dict) and entry.get("role") in _SYSTEM_ROLES
    ]
    if not said:
        return instruct(document, text)
    (_, place, role), *others = said
    document = remove_elements(document, "messages", [index for index, _, _ in others])
    return document.splice("messages", place, encode({"role": role, "content": text}))


def _instructs(entry: JsonValue) -> bool:
    return (
        isinstance(entry, dict)
        and entry.get("role") in _SYSTEM_ROLES
        and isinstance(entry.get("content"), str | list)
    )


def _said(message: Mapping[str, JsonValue]) -> str:
    return answers.text_of(message.get("content")) + answers.text_of(message.get("refusal"))


def _message(entry: Entry) -> Message:
    role = role_of(entry)
    name = entry.get("name")
    return Message(
        role="tool" if role in _TOOL_ROLES else role,
        text=text_of(entry.get("content")),
        name=name if isinstance(name, str) else None,
    )
