"""What the APIs have in common in an agent's answer: its two forms, and the text of its parts."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from typing import Final

from extproc.apis.sse import Event, EventSplitter
from extproc.json_document import JsonObject, parse
from extproc.json_scan import MAX_DEPTH, JsonError, JsonValue

DONE: Final = JsonObject(b"[DONE]", {})
"""Stands for the data with which OpenAI's chat streams end; it is no JSON."""

_CHUNK: Final = 2**16
_OBJECT: Final = re.compile(rb"[ \t\n\r]*\{")
_TEXT_MEMBERS: Final = {"text": "text", "output_text": "text", "refusal": "refusal"}


class UnreadableAnswer(ValueError):
    """The body is no whole answer in that API; the text says why and quotes nothing of it."""


def whole(body: bytes) -> JsonObject | None:
    """Return an answer that is one JSON object, or None where it is to be read as a stream.

    The body decides, not its content type, which agents often leave out or get wrong: no event
    stream begins with a brace.

    Raises:
        UnreadableAnswer: It is not valid JSON, or an error.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    return read_object(body) if _OBJECT.match(body) else None


def stream(body: bytes) -> Iterator[JsonObject]:
    """Yield the data of each event of an answer that is a stream; `DONE` ends it, if it is there.

    Raises:
        UnreadableAnswer: An event is not valid JSON, or an error.
    """
    for event in _events(body):
        if event.data is None or not event.data.strip():
            continue
        if event.name == "error":
            raise UnreadableAnswer("the stream has an error")
        if event.data.strip() == DONE.body:
            yield DONE
            return
        yield read_object(event.data)


def _events(body: bytes) -> Iterator[Event]:
    splitter = EventSplitter(len(body))
    for start in range(0, len(body), _CHUNK):
        yield from splitter.feed(body[start : start + _CHUNK])
    # Some servers leave out the last blank line; JSON that was cut short shows itself.
    if rest := splitter.close():
        yield rest


def read_object(body: bytes) -> JsonObject:
    """Return a JSON object that is not an error.

    Raises:
        UnreadableAnswer: It is.
    """
    try:
        answer = parse(body, max_depth=MAX_DEPTH)
    except JsonError as error:
        raise UnreadableAnswer(f"not valid JSON: {error}") from None
    if answer.get("error") is not None or "error" in (answer.get("type"), answer.get("object")):
        raise UnreadableAnswer("the answer is an error")
    return answer


def text_of(content: JsonValue) -> str:
    """Join the texts and refusals of a content: a text, a list of parts, or nothing.

    Parts are pieces of one text: nothing goes between them, as in the APIs' own libraries. Other
    parts (reasoning, images, audio, calls of tools) add nothing.

    Raises:
        UnreadableAnswer: It is no such content.
    """
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise UnreadableAnswer("a content is neither text nor a list of parts")
    return "".join(map(_part_text, content))


def members(value: JsonValue) -> Mapping[str, JsonValue]:
    """Return the members of an object; raises `UnreadableAnswer` where it is none."""
    if not isinstance(value, dict):
        raise UnreadableAnswer("something is not an object")
    return value


def _part_text(part: JsonValue) -> str:
    entry = members(part)
    kind = entry.get("type")
    member = _TEXT_MEMBERS.get(kind) if isinstance(kind, str) else None
    text = entry.get(member) if member else None
    if not (text is None or isinstance(text, str)):
        raise UnreadableAnswer("the text of a part is not text")
    return text or ""
