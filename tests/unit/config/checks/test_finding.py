from __future__ import annotations

from extproc.config.checks.finding import Finding, repeated, unknown
from extproc.config.yaml_source import parse


def test_only_what_comes_again_is_repeated() -> None:
    found = repeated([("x", ("a", 0)), ("y", ("a", 1)), ("x", ("a", 2)), ("x", ("a", 3))], "id")
    assert list(found) == [
        Finding(("a", 2), "the same id as a[0]"),
        Finding(("a", 3), "the same id as a[0]"),
    ]


def test_unknown_ids_are_compared_with_those_of_the_file() -> None:
    tree = parse("agents: [{id: weather}, {url: x}]\nuses: wether\n", "f")
    found = unknown(tree, ("uses",), "agents")
    expected = "no entry of `agents` has the id 'wether' (did you mean 'weather'?)"
    assert found == Finding(("uses",), expected)
