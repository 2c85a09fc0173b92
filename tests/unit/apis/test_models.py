from __future__ import annotations

import json
from collections.abc import Callable

import anthropic
import openai

from extproc.apis.models import models_body

AGENTS = [("weather_agent", 'Knows "weather".'), ("flight_agent", "")]


def test_the_openai_package_lists_agents(
    openai_client: Callable[[int, bytes], openai.OpenAI],
) -> None:
    models = list(openai_client(200, models_body(AGENTS)).models.list())
    assert [model.id for model in models] == ["weather_agent", "flight_agent"]
    assert {(model.object, model.created, model.owned_by) for model in models} == {
        ("model", 0, "outerloop")
    }


def test_the_anthropic_package_lists_agents(
    anthropic_client: Callable[[int, bytes], anthropic.Anthropic],
) -> None:
    page = anthropic_client(200, models_body(AGENTS)).models.list()
    assert (page.first_id, page.last_id, page.has_more) == ("weather_agent", "flight_agent", False)
    models = list(page)
    assert [model.display_name for model in models] == ["weather_agent", "flight_agent"]
    assert {(model.type, model.created_at.year) for model in models} == {("model", 1970)}


def test_descriptions_are_shown() -> None:
    data = json.loads(models_body(AGENTS))["data"]
    assert [model["description"] for model in data] == ['Knows "weather".', ""]


def test_no_agents() -> None:
    listing = json.loads(models_body([]))
    assert (listing["data"], listing["first_id"], listing["last_id"]) == ([], None, None)
