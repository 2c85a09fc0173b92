"""What the finders of personal data look at, and what they give."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from extproc.plugins import PluginError


class Kind(enum.StrEnum):
    """What is found."""

    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    IBAN = "iban"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Span:
    """Where something stands in a text.

    `open`: what comes next decides whether it does, and where it ends; only `start` counts.
    `name` is the length of what must be before it, such as the name of a setting.
    """

    start: int
    end: int
    kind: Kind
    open: bool = False
    name: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """A text, or as much of it as has come.

    What is before `begin` has been looked at: it is there for the boundaries alone. `final`: no
    more comes, and nothing is left open.
    """

    text: str = field(repr=False)
    begin: int = 0
    final: bool = True

    def cut(self, end: int) -> bool:
        """Tell whether what reaches up to `end` may go on in the text to come."""
        return not self.final and end >= len(self.text)


Finder = Callable[[View], Iterator[Span]]
"""Yields what stands in a text, also where things overlap.

Whether something starts at a place depends on less than `CONTEXT` characters before it, and on
what follows; as long as the latter has not come the span is open. A start that cannot be told yet
from other text consists of at most `LONGEST_START` characters of `WORD`.
"""


def united(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, those that overlap as one of the first one's kind."""
    out: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.start, -each.end)):
        if out and span.start < out[-1].end:
            last = out[-1]
            name = max(last.name, span.name - (span.start - last.start))
            out[-1] = replace(last, end=max(last.end, span.end), name=name)
        else:
            out.append(span)
    return out


def missing(error: ImportError) -> PluginError:
    """Say which package a finder needs."""
    return PluginError(
        f"the module {error.name} is missing: pip install 'outerloop-extproc[pii]'",
    )
