from __future__ import annotations

from collections.abc import Callable

from extproc.plan import FilterRecord
from extproc.recording import Record
from extproc.telemetry.recorders import Recorders


class Kept:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def begin(self) -> None:
        self.heard.append("begin")

    def end(self, record: Record) -> None:
        self.heard.append(record)

    def answered(self, exchange: str, filters: tuple[FilterRecord, ...]) -> None:
        self.heard.append((exchange, filters))


def test_each_hears_everything(record: Callable[..., Record]) -> None:
    first, second = Kept(), Kept()
    both = Recorders(first, second)
    ended = record()
    both.begin()
    both.end(ended)
    both.answered("e", ())
    assert first.heard == second.heard == ["begin", ended, ("e", ())]
