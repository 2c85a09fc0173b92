from __future__ import annotations

from collections.abc import Callable

import pytest

from extproc.manifests.source import Source
from extproc.manifests.variables import Variables

URL = "http://10.0.0.1"
Make = Callable[..., Source]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("$TOKEN", ("x-token",)), ("Bearer ${TOKEN}", ("x-token",)), ("$$TOKEN", ()), ("plain", ())],
)
def test_what_comes_from_the_environment_is_known(
    make_source: Make, value: str, expected: tuple[str, ...]
) -> None:
    source = make_source(
        {"id": "a", "url": URL, "headers": {"X-Token": value}}, environ={"TOKEN": "sesame"}
    )
    assert Variables.of(source).among(source.config.agents[0]) == expected


def test_an_agent_that_is_off_does_not_shift_the_others(make_source: Make) -> None:
    off = {"id": "off", "url": URL, "enabled": False, "headers": {"x-token": "$TOKEN"}}
    on = {"id": "on", "url": URL, "headers": {"x-token": "plain"}}
    source = make_source(off, on, listener={"agents": [{"id": "on"}]}, environ={"TOKEN": "sesame"})
    (agent,) = source.config.agents
    assert Variables.of(source).among(agent) == ()
