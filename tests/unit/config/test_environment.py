from __future__ import annotations

from typing import Any

import pytest

from extproc.config.environment import substitute
from extproc.config.yaml_source import parse

ENVIRON = {"HOST": "h", "PORT": "80", "EMPTY": "", "DOLLARS": "$HOST"}


def values(text: str) -> Any:
    tree, unresolved = substitute(parse(f"a: {text}\n", "f"), ENVIRON)
    assert unresolved == ()
    return tree.data()["a"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$HOST", "h"),
        ("${HOST}", "h"),
        ("http://$HOST:${PORT}/x", "http://h:80/x"),
        ("$$HOST", "$HOST"),
        ("$$$HOST", "$h"),
        ("'costs $5, or $'", "costs $5, or $"),
        ("'$EMPTY'", ""),
        ("$DOLLARS", "$HOST"),
        ("[$HOST, {b: $PORT}]", ["h", {"b": "80"}]),
        ("5", 5),
    ],
)
def test_texts_are_filled_in(text: str, value: object) -> None:
    assert values(text) == value


def test_keys_stay_as_they_are() -> None:
    assert values("{$HOST: 1}") == {"$HOST": 1}


def test_what_is_written_stays_known() -> None:
    tree, _ = substitute(parse("a: $HOST\n", "f"), ENVIRON)
    found = tree.child("a")
    assert found is not None
    assert (found.value, found.raw) == ("h", "$HOST")


def test_every_problem_is_named_at_its_value() -> None:
    text = "a: $NO and ${NEITHER} and $NO\nb: [$HOST, '${HOST']\n"
    tree, unresolved = substitute(parse(text, "f"), ENVIRON)
    found = [(each.node.path, each.problem.split(";")[0]) for each in unresolved]
    assert found == [
        (("a",), "the environment variable NO is not set"),
        (("a",), "the environment variable NEITHER is not set"),
        (("b", 1), "`${` needs a name and `}`"),
    ]
    assert tree.data()["a"] == "$NO and ${NEITHER} and $NO"
