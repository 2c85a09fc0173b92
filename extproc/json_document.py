"""JSON objects that keep the client's bytes: edits splice.

Bodies are checked once and never encoded again: an edit replaces a span of bytes, so unknown
members, the spelling of numbers, the order of keys and white space always survive.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from extproc.json_scan import MAX_DEPTH, JsonValue, Place, decode, elements, members, places

_TRAILING_COMMA: Final = re.compile(rb"[ \t\n\r]*,")


class JsonObject:
    """A JSON object: the bytes it came from and the place of each member's value.

    Immutable. Edits return a new object; what they put in must be JSON already, it is not checked
    again. Two are equal where their bytes are.
    """

    __slots__ = ("_decoded", "_places", "body")

    def __init__(
        self,
        body: bytes,
        places: Mapping[str, Place] | None = None,
        decoded: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """Take a body that was checked, with its `places`, or else with its `decoded` members."""
        self.body = body
        self._places = places
        self._decoded = decoded

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JsonObject) and self.body == other.body

    def __hash__(self) -> int:
        return hash(self.body)

    @property
    def places(self) -> Mapping[str, Place]:
        """Where the value of each member is, in their order."""
        if self._places is None:
            # Only edits ask for it: most bodies go on as they came.
            self._places = places(self.body, MAX_DEPTH)
        return self._places

    def __contains__(self, name: object) -> bool:
        return name in (self.places if self._decoded is None else self._decoded)

    def get(self, name: str) -> JsonValue:
        """Return the value of a member; None where it is absent or null."""
        if self._decoded is not None:
            return self._decoded.get(name)
        place = self.places.get(name)
        return None if place is None else decode(self.body[slice(*place)])

    def is_array(self, name: str) -> bool:
        """Tell whether the member is there and an array, without decoding it."""
        if self._decoded is not None:
            return isinstance(self._decoded.get(name), list)
        place = self.places.get(name)
        return place is not None and self.body.startswith(b"[", place[0])

    def values(self, name: str) -> Iterable[JsonValue]:
        """Return the elements of an array, decoded one at a time where values are very many."""
        value = self._decoded[name] if self._decoded is not None else None
        if isinstance(value, list):
            return value
        return (value for _, value in self.elements(name))

    def elements(self, name: str) -> Iterator[tuple[Place, JsonValue]]:
        """Yield place and value of each element of an array member, decoded one at a time."""
        return elements(self.body, self.places[name])

    def replace(self, name: str, value: bytes) -> JsonObject:
        """Return the object with another value of `name`, added at the end where it is missing."""
        if name in self.places:
            return self.splice(name, self.places[name], value)
        end = max(self.places.values(), default=(0, 0))[1] or self.body.index(b"{") + 1
        prefix = b"%s%s:" % (b"," if self.places else b"", json.dumps(name).encode())
        start = end + len(prefix)
        body = b"".join((self.body[:end], prefix, value, self.body[end:]))
        return JsonObject(body, {**self.places, name: (start, start + len(value))})

    def insert(self, name: str, index: int, elements: Sequence[bytes]) -> JsonObject:
        """Return the object with `elements` put before element `index` of the array `name`.

        `index` may be the array's length: they go to its end then. Raises IndexError beyond that.
        """
        if not elements:
            return self
        joined = b",".join(elements)
        found = [place for place, _ in self.elements(name)]
        if index < len(found):
            at, text = found[index][0], joined + b","
        elif index == len(found) and found:
            at, text = found[-1][1], b"," + joined
        elif index == 0:
            at, text = self.places[name][0] + 1, joined
        else:
            raise IndexError(index)
        return self.splice(name, (at, at), text)

    def remove(self, name: str) -> JsonObject:
        """Return the object without the member `name`, or itself where there is none."""
        if name not in self.places:
            return self
        start, end = self.places[name]
        before = [last for _, last in self.places.values() if last < start]
        if before:
            cut = max(before), end
        else:
            comma = _TRAILING_COMMA.match(self.body, end)
            cut = self.body.index(b"{") + 1, comma.end() if comma else end
        moved = self._moved(cut[0], cut[0] - cut[1])
        del moved[name]
        return JsonObject(self.body[: cut[0]] + self.body[cut[1] :], moved)

    def splice(self, name: str, place: Place, text: bytes) -> JsonObject:
        """Return the object with `text` in place of some bytes within the value of `name`."""
        start, end = place
        growth = len(text) - (end - start)
        moved = self._moved(start, growth)
        first, last = self.places[name]
        moved[name] = (first, last + growth)
        return JsonObject(b"".join((self.body[:start], text, self.body[end:])), moved)

    def _moved(self, start: int, growth: int) -> dict[str, Place]:
        """Return the places, with those that begin after `start` moved by `growth`."""
        return {
            member: (first + growth, last + growth) if first > start else (first, last)
            for member, (first, last) in self.places.items()
        }


def parse(body: bytes, *, max_depth: int) -> JsonObject:
    """Check a whole body, and read what it holds.

    Args:
        body: The bytes as the client sent them.
        max_depth: Levels of nesting allowed, the object itself being the first; at most
            `MAX_DEPTH`.

    Raises:
        JsonError: It is not such a body, not an object, or nested too deeply.
    """
    decoded = members(body, max_depth)
    if decoded is not None:
        return JsonObject(body, decoded=decoded)
    return JsonObject(body, places(body, max_depth))
