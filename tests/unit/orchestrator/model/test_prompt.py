from __future__ import annotations

import json

import pytest

from extproc.config.prompt_template import ROUTES
from extproc.conversation import Message
from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.model.prompt import DEFAULT_PROMPT, ROUTE_FORMATS, Prompt

WEATHER = AgentInfo("weather_agent", "Forecasts für {conversation}", ("rain?", "snow?"))
HOTEL = AgentInfo("hotel", 'Books "rooms"')
MESSAGES = (Message("user", "hi {routes}"), Message("assistant", "Grüezi\n"))


def test_the_conversation_is_an_indented_list() -> None:
    text = Prompt("{conversation}|{routes}").render([], MESSAGES)
    assert text == (
        '[\n    {\n        "role": "user",\n        "content": "hi {routes}"\n    },\n'
        '    {\n        "role": "assistant",\n        "content": "Grüezi\\n"\n    }\n]|'
    )


@pytest.mark.parametrize(
    ("form", "more"),
    [
        ("routes", {}),
        ("routes_with_examples", {"examples": ["rain?", "snow?"]}),
        (
            "routes_with_parameters",
            {"parameters": {"type": "object", "properties": {}, "required": []}},
        ),
    ],
)
def test_the_routes_are_an_object_a_line(form: str, more: dict[str, object]) -> None:
    text = Prompt(f"{{{form}}}{{conversation}}").render([WEATHER], ())
    expected = {"name": "weather_agent", "description": "Forecasts für {conversation}", **more}
    assert text == json.dumps(expected, ensure_ascii=False) + "[]"


def test_an_agent_without_examples_shows_none() -> None:
    lines = ROUTE_FORMATS["routes_with_examples"]([WEATHER, HOTEL]).splitlines()
    assert ["examples" in json.loads(line) for line in lines] == [True, False]


@pytest.mark.parametrize(("count", "shown"), [(1, 5), (200, 4), (400, 2), (1000, 0)])
def test_examples_are_few_where_agents_are_many(count: int, shown: int) -> None:
    agents = [AgentInfo(f"a{n}", examples=("ten  chars",) * 9) for n in range(count)]
    lines = ROUTE_FORMATS["routes_with_examples"](agents).splitlines()
    assert {len(json.loads(line).get("examples", ())) for line in lines} == {shown}


def test_other_braces_stand_for_themselves() -> None:
    prompt = Prompt('{routes} {conversation} {"route": []} {{"route": ["a"]}} {} { routes }')
    assert prompt.render([], ()) == ' [] {"route": []} {{"route": ["a"]}} {} { routes }'


def test_a_prompt_without_its_placeholders_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the placeholder {conversation} is missing"):
        Prompt("{routes}")


def test_every_placeholder_that_a_file_may_have_is_filled_in() -> None:
    assert tuple(ROUTE_FORMATS) == ROUTES


def test_our_own_prompt_shows_agents_conversation_and_form() -> None:
    text = DEFAULT_PROMPT.render([WEATHER, HOTEL], MESSAGES)
    for part in ('"weather_agent"', '"rain?"', '"Books \\"rooms\\""', "Grüezi", '{"route": []}'):
        assert part in text
    # What never changes comes first: servers remember the work on a prefix.
    assert text.index("weather_agent") < text.index("Rules") < text.index("Grüezi")
