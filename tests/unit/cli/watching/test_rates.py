from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from extproc.cli.watching.look import Look, understand
from extproc.cli.watching.rates import Rates

Json = dict[str, Any]


@pytest.fixture
def earlier(status_answer: Json) -> Look:
    return understand(10.0, deepcopy(status_answer), [])


def test_counts_by_the_second(status_answer: Json, earlier: Look) -> None:
    status_answer["requests"]["total"] += 5
    status_answer["listeners"][0]["requests"] += 3
    status_answer["agents"][0]["variants"][1]["errors"] += 1
    status_answer["agents"][1]["requests"] += 4
    status_answer["filters"][0]["calls"] += 6
    rates = Rates(understand(12.0, status_answer, []), earlier)
    assert rates.of("requests") == 2.5
    assert rates.of("listener", "travel") == 1.5
    assert rates.of("errors", "hotel", "canary") == 0.5
    assert rates.of("agent", "weather", "") == 2.0
    assert rates.of("agent", "hotel", "canary") == 0.0
    assert rates.of("filter", "guard") == 3.0


def test_what_is_not_known_has_no_rate(status_answer: Json, earlier: Look) -> None:
    assert Rates(earlier, None).of("requests") is None
    assert Rates(earlier, earlier).of("requests") is None
    status_answer["agents"][1] |= {"id": "new"}
    status_answer["agents"][0]["requests"] = None
    # The stack was started again.
    status_answer["requests"]["total"] = 1
    rates = Rates(understand(12.0, status_answer, []), earlier)
    assert rates.of("agent", "new", "") is None
    assert rates.of("agent", "hotel", "") is None
    assert rates.of("requests") is None
