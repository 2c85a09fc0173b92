"""Which running text of a stream a string of an event belongs to, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from extproc.filters.api import FilterError
from extproc.json_strings import Path

Key = tuple[str | int, ...]
Data = Mapping[str, Any]

_STREAM_ENDS: Final = frozenset(
    {"message_stop", "error", "response.completed", "response.incomplete", "response.failed"}
)
_BLOCK_ENDS: Final = frozenset({"content_block_stop", "response.output_item.done"})
_BLOCK: Final = ("output_index", "item_id", "index")
"""What names the block or item of an event; an item's id is not the same in all of its events."""
_PART: Final = ("content_index", "summary_index")


_BLOCK_TEXTS: Final = frozenset({"text", "thinking", "partial_json"})
_WHOLE: Final = frozenset({"annotations", "citations", "images", "provider_specific_fields"})
"""Members of a choice's delta whose strings come whole."""


class Channel(NamedTuple):
    """A running text: of a choice, a block or an item, and which of its texts."""

    group: Key
    member: Key


class End(NamedTuple):
    """The end of texts: of all, those of a group, or those of a group and of one type of event."""

    group: Key | None = None
    type: str | None = None

    def of(self, channel: Channel) -> bool:
        """Tell whether it is the end of a channel."""
        return self.group in {None, channel.group} and self.type in {None, channel.member[0]}


def channel_of(path: Path, data: Data) -> Channel | None:
    """Return whose piece the string at `path` is, None where it is a text by itself.

    Pieces are below `delta` in all APIs, but for what comes whole, such as citations. The text
    that a block of Anthropic's starts with is one.
    """
    match path:
        case ("choices", int(), "delta", *below) if _WHOLE.isdisjoint(below):
            choice, _, *member = _named(path[1:], data["choices"])
            return Channel(("choice", choice), tuple(member))
        case ("delta", *below) if data.get("type") != "content_block_delta" or (
            len(below) == 1 and below[0] in _BLOCK_TEXTS
        ):
            kind = str(data.get("type", "")).removesuffix(".delta")
            rest = _named(path[1:], data["delta"])
            parts = (str(data.get(name)) for name in _PART)
            if kind == "content_block_delta":
                return Channel(_block(data), ("", *rest))
            return Channel(_block(data), (kind, *parts, *rest))
        case ("content_block", name) if name in _BLOCK_TEXTS:
            return Channel(_block(data), ("", *_named(path[1:], data["content_block"])))
    return None


def ends(data: Data) -> Iterator[End]:
    """Yield which texts are at their end with an event."""
    kind = data.get("type")
    if data.get("error"):
        yield End()
    if isinstance(kind, str):
        if kind in _STREAM_ENDS:
            yield End()
        elif kind in _BLOCK_ENDS:
            yield End(_block(data))
        elif kind.endswith(".done"):
            yield End(_block(data), kind.removesuffix(".done"))
    choices = data.get("choices")
    for number, choice in enumerate(choices if isinstance(choices, list) else ()):
        # Some servers have an empty text until the end.
        if isinstance(choice, dict) and choice.get("finish_reason"):
            yield End(("choice", _name(choice, number)))


def _block(data: Data) -> Key:
    name = next((each for each in _BLOCK if data.get(each) is not None), "")
    return ("block", str(data.get(name)))


def _named(path: Path, value: Any) -> Key:  # noqa: ANN401 - whatever the event has there
    """Return a path with the elements of arrays by their own index, not by their place.

    Raises `FilterError` where it is not there: the string is of a member that another one hides.
    """
    key: list[str | int] = []
    try:
        for part in path:
            value = value[part]
            key.append(_name(value, part) if isinstance(part, int) else part)
    except (LookupError, TypeError):
        raise FilterError("an event has a member twice") from None
    return tuple(key)


def _name(element: Any, place: int) -> str:  # noqa: ANN401 - whatever the event has there
    index = element.get("index") if isinstance(element, dict) else None
    return str(place if index is None else index)
