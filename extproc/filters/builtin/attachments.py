"""What is attached to a conversation: images, audio and files, in whichever API's spelling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, Literal

from extproc.conversation import Api, Conversation
from extproc.json_scan import JsonValue

Kind = Literal["image", "audio", "file"]

_KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "image": "image",
        "image_url": "image",
        "input_image": "image",
        "image_embeds": "image",
        "computer_screenshot": "image",
        "audio": "audio",
        "audio_url": "audio",
        "input_audio": "audio",
        "file": "file",
        "input_file": "file",
        "document": "file",
        "container_upload": "file",
        "video": "file",
        "video_url": "file",
        "input_video": "file",
    }
)
"""By the type of a part. An agent may take another API's parts too, so all count everywhere."""


def attachments(conversation: Conversation) -> Iterator[Kind]:
    """Yield the kind of each attachment of the whole conversation, results of tools included."""
    document = conversation.document
    name = "input" if conversation.api is Api.RESPONSES else "messages"
    if document.is_array(name):
        for entry in document.values(name):
            yield from _within(entry)
    prompt = document.get("prompt")
    variables = prompt.get("variables") if isinstance(prompt, dict) else None
    if isinstance(variables, dict):
        yield from _within([*variables.values()])


def _within(entry: JsonValue) -> Iterator[Kind]:
    left = [entry]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            kind = value.get("type")
            if isinstance(kind, str):
                named = [kind] if kind in _KINDS else []
            else:
                # Some servers tell a part by the member that it has.
                named = [each for each in _KINDS if each in value]
            yield from (_KINDS[each] for each in named)
            left += (value.get("content"), value.get("output"))
            # A source has a type of its own, `file` for one; a document's may hold images.
            source = value.get("source")
            if isinstance(source, dict):
                left.append(source.get("content"))
