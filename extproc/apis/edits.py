"""What the APIs have in common in writing other agents' answers into a conversation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from extproc.json_document import JsonObject

Position: TypeAlias = Literal["append", "prepend", "replace"]
"""Where a text goes, seen from those that are there."""


@dataclass(frozen=True, slots=True)
class AgentAnswer:
    """What an agent answered: its id, and the text alone."""

    agent: str
    text: str = field(repr=False)


def assistant_entry(answer: AgentAnswer, *, named: bool) -> bytes:
    """Render an answer as an entry of the conversation, with or without its author."""
    author = {"name": answer.agent} if named else {}
    return encode({"role": "assistant", **author, "content": answer.text})


def add_text(
    document: JsonObject, name: str, text: str, position: Position = "append"
) -> JsonObject:
    """Add a paragraph to a member: to its text, or as one more part of its list.

    A member that is neither, or not there, becomes the text; so does one that is replaced.
    """
    if position != "replace" and document.is_array(name):
        end = sum(1 for _ in document.values(name)) if position == "append" else 0
        return document.insert(name, end, [encode({"type": "text", "text": text})])
    old = document.get(name)
    if position == "replace" or not isinstance(old, str):
        return document.replace(name, encode(text))
    start, end = document.places[name]
    at = end - 1 if position == "append" else start + 1
    paragraph = f"\n\n{text}" if position == "append" else f"{text}\n\n"
    return document.splice(name, (at, at), encode(paragraph if old else text)[1:-1])


def remove_elements(document: JsonObject, name: str, indexes: Sequence[int]) -> JsonObject:
    """Return the object without some elements of an array, given in order."""
    body, places = document.body, [place for place, _ in document.elements(name)]
    done, last = document.places[name]
    parts: list[bytes] = []
    for removed, index in enumerate(indexes):
        start, end = places[index]
        # The comma before it goes too; where nothing is left before it, the one behind it.
        if removed < index:
            start = places[index - 1][1]
        elif index + 1 < len(places):
            end = places[index + 1][0]
        parts.append(body[done:start])
        done = end
    return document.splice(name, document.places[name], b"".join((*parts, body[done:last])))


def encode(value: object) -> bytes:
    """Encode a value as JSON, in ASCII: lone surrogates stand as escapes, as they came."""
    return json.dumps(value).encode()
