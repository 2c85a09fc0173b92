from __future__ import annotations

import pytest

from extproc.supervisor.figures import Bucket, Times

TIMES = Times((Bucket(0, 0, 1), Bucket(4, 0.1, 1), Bucket(42, 1, 1), Bucket(250, 10, 2)), 42.5, 259)


@pytest.mark.parametrize(
    ("bound", "count"), [(1, 1), (4, 1), (5, 2), (43, 3), (250, 3), (260, 5), (1000, 5)]
)
def test_answers_that_took_less(bound: float, count: int) -> None:
    assert TIMES.below(bound) == count


def test_what_they_took_together() -> None:
    assert (TIMES.count, TIMES.sum) == (5, 0 + 4 + 42 + 2 * 254.5)
    assert (Times().count, Times().sum) == (0, 0)
