"""Which agents are taken for which others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from extproc.evaluation.decide import Result


@dataclass(frozen=True, slots=True)
class Confusion:
    """`got` stood in plans in the place of `expected`; `results` are those cases, at least one.

    None is nothing: an agent that was left out, or one too many.
    """

    agents_set: str
    expected: str | None
    got: str | None
    results: tuple[Result, ...]

    @property
    def count(self) -> int:
        """The number of cases."""
        return len(self.results)


def find_confusions(results: Iterable[Result]) -> list[Confusion]:
    """Return every confusion, the most frequent first. A wrong order alone is none."""
    found: dict[tuple[str, str | None, str | None], list[Result]] = {}
    for result in results:
        for pair in _pairs(result):
            found.setdefault((result.case.agents_set, *pair), []).append(result)
    confusions = [Confusion(*key, tuple(each)) for key, each in found.items()]
    return sorted(confusions, key=lambda confusion: -confusion.count)


def _pairs(result: Result) -> Iterator[tuple[str | None, str | None]]:
    if result.prediction is None:
        return iter(())
    expected, got = result.case.expected, result.agents
    missed = [agent for agent in expected if agent not in got]
    wrong = [agent for agent in got if agent not in expected]
    return zip_longest(missed, wrong)
