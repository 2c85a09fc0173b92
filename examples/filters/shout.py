"""A filter of your own: an object with one async method."""

from __future__ import annotations

from pydantic import BaseModel

from extproc.filters.api import KEEP, Keep, Subject, Verdict


class Shout:
    """Tags requests that shout: `rules` and agents see `x-outerloop-tag-tone: loud`."""

    phases = frozenset({"input"})

    class Options(BaseModel, extra="forbid"):
        """What the file may say; `outerloop check` checks it."""

        mark: str = "!!!"

    def __init__(self, options: Options) -> None:
        self._mark = options.mark.encode()

    async def apply(self, subject: Subject, /) -> Verdict:
        """Tag a request that has the mark anywhere in it."""
        return Keep(tags=(("tone", "loud"),)) if self._mark in subject.body else KEEP
