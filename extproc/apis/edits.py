"""What the APIs have in common in writing other agents' answers into a conversation."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from extproc.json_document import JsonObject


@dataclass(frozen=True, slots=True)
class AgentAnswer:
    """What an agent answered: its id, and the text alone."""

    agent: str
    text: str = field(repr=False)


def assistant_entry(answer: AgentAnswer, *, named: bool) -> bytes:
    """Render an answer as an entry of the conversation, with or without its author."""
    author = {"name": answer.agent} if named else {}
    return encode({"role": "assistant", **author, "content": answer.text})


def add_text(document: JsonObject, name: str, text: str) -> JsonObject:
    """Add a paragraph to a member: to the end of its text, or as one more part of its list.

    A member that is neither, or not there, becomes the text.
    """
    if document.is_array(name):
        end = sum(1 for _ in document.elements(name))
        return document.insert(name, end, [encode({"type": "text", "text": text})])
    old = document.get(name)
    if not isinstance(old, str):
        return document.replace(name, encode(text))
    at = document.places[name][1] - 1
    paragraph = encode(f"\n\n{text}" if old else text)
    return document.splice(name, (at, at), paragraph[1:-1])


def encode(value: object) -> bytes:
    """Encode a value as JSON, in ASCII: lone surrogates stand as escapes, as they came."""
    return json.dumps(value).encode()
