from __future__ import annotations

import pytest

from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.embedded.catch_all import is_catch_all


@pytest.mark.parametrize(
    ("identifier", "description"),
    [
        ("general_agent", ""),
        ("fallback", "Answers politely."),
        ("helper", "General-purpose assistant for everything else."),
        ("helper", "Handles any other question."),
        ("helper", "Catch-all for what other agents cannot do."),
    ],
)
def test_agents_that_say_so_take_the_rest(identifier: str, description: str) -> None:
    assert is_catch_all(AgentInfo(identifier, description))


@pytest.mark.parametrize(
    ("identifier", "description"),
    [
        ("general_ledger", "Books entries."),
        ("weather", "Answers any question on the weather."),
        ("chat", "Small talk."),
        ("doctor", "General practice: appointments and general health."),
    ],
)
def test_others_do_not(identifier: str, description: str) -> None:
    assert not is_catch_all(AgentInfo(identifier, description))
