"""A filter of your own: an object with one async method."""

from __future__ import annotations

from extproc.filters.api import KEEP, Keep, Subject, Verdict


class Shout:
    """Tags requests that shout: `rules` and agents see `x-outerloop-tag-tone: loud`."""

    phases = frozenset({"input"})

    def __init__(self, options: dict[str, str]) -> None:
        self._mark = options.get("mark", "!!!").encode()

    async def apply(self, subject: Subject, /) -> Verdict:
        """Tag a request that has the mark anywhere in it."""
        return Keep(tags=(("tone", "loud"),)) if self._mark in subject.body else KEEP
