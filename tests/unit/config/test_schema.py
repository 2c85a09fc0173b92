from __future__ import annotations

from extproc.config.model.agents import Agent, Retries
from extproc.config.model.listeners import ListenerAgent
from extproc.config.model.root import Config
from extproc.config.schema import section_at, section_of, sections


def test_a_section_is_found_inside_its_annotation() -> None:
    assert section_of(tuple[Agent, ...] | None) is Agent
    assert section_of(dict[str, str]) is None


def test_sections_are_found_by_location() -> None:
    assert section_at(()) is Config
    assert section_at(("agents", 3, "retries")) is Retries
    assert section_at(("listeners", 0, "agents", 1)) is ListenerAgent
    assert section_at(("agents", 0, "headers")) is None
    assert section_at(("nothing", "below")) is None


def test_all_sections_have_the_key_they_stand_under() -> None:
    found = dict(sections())
    assert found[""] is Config
    assert found["agents[].retries"] is Retries
    assert found["listeners[].agents[]"] is ListenerAgent
