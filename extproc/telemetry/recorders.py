"""Several recorders as one."""

from __future__ import annotations

from extproc.plan import FilterRecord
from extproc.recording import Record, Recorder


class Recorders:
    """Passes every record to each of its recorders, in order."""

    def __init__(self, *recorders: Recorder) -> None:
        self._recorders = recorders

    def begin(self) -> None:
        """Tell all of a request that has come."""
        for recorder in self._recorders:
            recorder.begin()

    def end(self, record: Record) -> None:
        """Tell all how it ended."""
        for recorder in self._recorders:
            recorder.end(record)

    def answered(self, exchange: str, filters: tuple[FilterRecord, ...]) -> None:
        """Tell all what became of an answer."""
        for recorder in self._recorders:
            recorder.answered(exchange, filters)
