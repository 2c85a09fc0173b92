"""What clients send, and what agents are there for: words enough for a thousand agents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice, product
from types import MappingProxyType
from typing import Any, Final

MARK: Final = "@" * 12
"""Stands where each request has a number of its own, so that no two texts are the same."""
KIB: Final = 1024
MIB: Final = 1024 * KIB
_MESSAGE: Final = 200
"""Bytes of each text before the last one."""

SUBJECTS: Final = (
    *("invoices", "refunds", "flights", "hotel rooms", "weather", "car rental", "insurance claims"),
    *("passwords", "network cables", "printers", "salaries", "holidays", "contracts", "patents"),
    *("recipes", "medicine", "train tickets", "concerts", "museums", "football", "taxes"),
    *("mortgages", "shipping", "furniture", "gardening"),
)
PLACES: Final = (
    *("Oslo", "Bergen", "Paris", "Lyon", "Rome", "Milan", "Madrid", "Seville", "Lisbon", "Porto"),
    *("Berlin", "Munich", "Vienna", "Graz", "Zurich", "Geneva", "London", "Leeds", "Dublin"),
    *("Cork", "Athens", "Patras", "Warsaw", "Krakow", "Prague", "Brno", "Budapest", "Pecs"),
    *("Helsinki", "Turku", "Stockholm", "Malmo", "Copenhagen", "Aarhus", "Brussels", "Ghent"),
    *("Amsterdam", "Utrecht", "Tokyo", "Osaka", "Kyoto"),
)
_FILLING: Final = "I would like to know it before the week ends, and thank you for your time. "


def topics(count: int) -> list[str]:
    """Return what each of so many agents is for: `invoices in Oslo`."""
    # All subjects come before a second place does: few agents have little in common.
    pairs = ((subject, place) for place, subject in product(PLACES, SUBJECTS))
    return [f"{subject} in {place}" for subject, place in islice(pairs, count)]


def chat(
    topic: str,
    *,
    size: int = KIB,
    messages: int = 1,
    distinct: bool = False,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> bytes:
    """Return the body of a request about a topic.

    It has `size` bytes, or as many as its messages need. The last one is the user's; a `distinct`
    one has `MARK` in it. `more` are the members beside the messages.
    """
    question = f"Can you help me with {topic}? I have a question about {topic}. "
    question += f"My number is {MARK}. " if distinct else ""
    body = _encode(_conversation(question, messages), more)
    return _encode(_conversation(question + _filling(size - len(body)), messages), more)


def _conversation(question: str, messages: int) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    # Counted from the end: the last one is the user's.
    before = [
        {"role": roles[(messages - 1 - at) % 2], "content": _filling(_MESSAGE)}
        for at in range(messages - 1)
    ]
    return [*before, {"role": "user", "content": question}]


def _filling(length: int) -> str:
    return (_FILLING * (max(0, length) // len(_FILLING) + 1))[: max(0, length)]


def _encode(messages: list[dict[str, str]], more: Mapping[str, Any]) -> bytes:
    return json.dumps({**more, "messages": messages}).encode()
