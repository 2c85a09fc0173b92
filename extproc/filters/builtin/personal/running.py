"""A text that comes in pieces, as far as it can be let go."""

from __future__ import annotations

from collections import deque
from typing import Final

from extproc.filters.api import FilterError
from extproc.filters.builtin.personal.detector import CONTEXT, Detector, masked
from extproc.filters.builtin.personal.spans import Span

LONGEST_HELD: Final = 16 * 1024
"""Characters: what has not ended by then is no secret that anybody would write."""

_SOON: Final = 1024
_GROWTH: Final = 16


class RunningText:
    """One text of a stream.

    Places count from its start. `decided`: up to here it is known what is a secret, and no more
    can come of what is before. Of the text itself only what is undecided is kept. A `lenient` one
    never fails, but may miss a match: it is only watched, or has failed before.
    """

    def __init__(self, detector: Detector, *, lenient: bool = False) -> None:
        self._detector = detector
        self.lenient = lenient
        self._kept = ""
        self._offset = 0
        self._begin = 0
        self._looked = 0
        self._spans: deque[Span] = deque()
        self.decided = 0

    @property
    def end(self) -> int:
        """How long it is by now."""
        return self._offset + len(self._kept)

    def add(self, piece: str) -> int:
        """Take the next piece; return where it starts."""
        start = self.end
        self._kept += piece
        return start

    def look(self, *, final: bool = False) -> list[Span]:
        """Decide what can be decided, all of it where this is the end; return what was found.

        A text that was at its end may go on all the same. Raises `FilterError` where it must be
        feared then that a part of a secret was let go, or where too much is undecided.
        """
        if not final and self._is_too_soon():
            return []
        self._looked = self.end
        found = self._detector.find(self._kept, self._begin - self._offset, final=final)
        settled = self._offset + found.settled
        spans = [
            Span(self._offset + span.start, self._offset + span.end, span.kind)
            for span in found.spans
            if self._offset + span.end > self.decided
        ]
        if spans and spans[0].start < self.decided and not self.lenient:
            raise FilterError("a text went on that had ended, in the middle of what must be masked")
        self.decided = max(self.decided, settled)
        if not final:
            self._begin = settled
        if self.end - self.decided > LONGEST_HELD:
            if not self.lenient:
                raise FilterError(f"more than {LONGEST_HELD} characters that may be one secret")
            self._begin = self.decided = self.end
        self._forget()
        self._spans.extend(spans)
        return spans

    def masked(self, piece: str, start: int, mask: str) -> str:
        """Return what is left of a piece that has been decided; pieces are asked for in order."""
        while self._spans and self._spans[0].end <= start:
            self._spans.popleft()
        return "".join(masked(piece, start, self._spans, mask))

    def _is_too_soon(self) -> bool:
        """Tell whether a long undecided text has hardly grown: to look each time were quadratic."""
        held = self.end - self._begin
        return held > _SOON and (self.end - self._looked) * _GROWTH < held

    def _forget(self) -> None:
        spare = self._begin - self._offset - CONTEXT
        if spare > CONTEXT:
            self._kept = self._kept[spare:]
            self._offset += spare
