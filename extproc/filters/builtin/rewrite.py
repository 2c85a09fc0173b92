"""`rewrite`: what the system says to every agent, in addition to the client's words or instead."""

from __future__ import annotations

from pydantic import Field

from extproc.apis.api import CODECS
from extproc.apis.edits import Position
from extproc.config.model.types import Section
from extproc.filters.api import Change, Subject, Verdict
from extproc.filters.builtin.reading import judge, read


class Rewrite:
    """Adds a text to what the system says, or lets it say nothing else."""

    phases = frozenset({"input"})

    class Options(Section):
        """Options of `rewrite`."""

        system: str = Field(min_length=1, description="what the system says")
        position: Position = Field(
            "append", description="behind or before what the client has the system say, or instead"
        )

    def __init__(self, options: Options) -> None:
        self._options = options

    async def apply(self, subject: Subject, /) -> Verdict:
        """Return the request with the text; every byte of other messages stays."""
        return await judge(subject, self._rewrite)

    def _rewrite(self, subject: Subject) -> Verdict:
        document, codec = read(subject).document, CODECS[subject.api]
        return Change(codec.instruct(document, self._options.system, self._options.position).body)
