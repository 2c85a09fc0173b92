from __future__ import annotations

import json
from pathlib import Path

import pytest

from extproc.conversation import Message
from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.model.prompt import DEFAULT_PROMPT, ROUTE_FORMATS, Prompt, read_prompt

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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{routes}", "the placeholder {conversation} is missing"),
        ("{conversation}", "the placeholder {routes} is missing"),
        ("{routes} {conversation} {query}", "unknown placeholder {query}; known are "),
    ],
)
def test_a_prompt_that_cannot_work_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Prompt(text)


def test_a_file_is_taken_byte_for_byte(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_bytes(b"\r\n{routes}\r\n{conversation} \n")
    assert read_prompt(str(file)).text == "\r\n{routes}\r\n{conversation} \n"


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot read the prompt file: No such file"):
        read_prompt(str(tmp_path / "none.txt"))
    (tmp_path / "latin.txt").write_bytes(b"{routes} {conversation} \xe9")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_prompt(str(tmp_path / "latin.txt"))


def test_our_own_prompt_shows_agents_conversation_and_form() -> None:
    text = DEFAULT_PROMPT.render([WEATHER, HOTEL], MESSAGES)
    for part in ('"weather_agent"', '"rain?"', '"Books \\"rooms\\""', "Grüezi", '{"route": []}'):
        assert part in text
    # What never changes comes first: servers remember the work on a prefix.
    assert text.index("weather_agent") < text.index("Rules") < text.index("Grüezi")
