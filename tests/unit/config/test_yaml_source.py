from __future__ import annotations

import pytest

from extproc.config.faults import ConfigError
from extproc.config.yaml_source import MAX_DEPTH, MAX_NODES, Mark, Node, parse, place_of


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "f")
    return [str(fault) for fault in caught.value.faults]


def node(text: str, *location: str | int) -> Node:
    found = parse(text, "f").at(location)
    assert found is not None
    return found


def test_keys_and_values_know_their_place() -> None:
    found = node("agents:\n  - id: a\n    url: 'x'\n", "agents", 0, "url")
    assert (found.mark, found.key, found.value) == (Mark(3, 10), Mark(3, 5), "x")
    assert found.path == ("agents", 0, "url")


def test_columns_count_characters() -> None:
    assert node("a: {é: ü, b: c}", "a", "b").key == Mark(1, 11)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-5", -5),
        ("0", 0),
        ("1.5", 1.5),
        ("1e3", "1e3"),
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("0x1f", "0x1f"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("2026-01-01", "2026-01-01"),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("~", None),
        ("", None),
        ("=", "="),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = node(f"a: {text}\n", "a").value
    assert (found, type(found)) == (value, type(value))


def test_aliases_and_merge_keys_work() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\nd: *a\n"
    assert parse(text, "f").data()["c"] == {"x": 3, "y": 1, "z": 2}
    assert parse(text, "f").data()["d"] == {"x": 1, "y": 1}
    assert node(text, "d", "x").path == ("d", "x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "f:1:1: the file is empty"),
        ("# nothing\n", "f:1:1: the file is empty"),
        ("- 1\n", "f:1:1: the file must be a mapping that begins with `version:`"),
        ("text", "f:1:1: the file must be a mapping that begins with `version:`"),
        ("a: 1\n---\nb: 1\n", "f:2:1: only one YAML document is allowed"),
        ("a:\n\t- b\n", "f:2:1: a tab cannot indent YAML; use blanks"),
        ("a: \x07\n", "f:1:4: a control character that YAML does not allow"),
        ("a: \ud800\n", "f:1:4: a control character that YAML does not allow"),
        ("a: !!python/object:os.system x\n", "f:1:4: YAML tags are not allowed"),
        ("a: !!set {b}\n", "f:1:4: YAML tags are not allowed"),
        ("a: !mine [1]\n", "f:1:4: YAML tags are not allowed"),
        ("a: !!binary aGk=\n", "f:1:4: YAML tags are not allowed"),
        ("1: a\n", "f:1:1: a key must be text; put it in quotes"),
        ("true: a\n", "f:1:1: a key must be text; put it in quotes"),
        ("? [a]\n: b\n", "f:1:3: a key must be text; put it in quotes"),
        ("a: &a [*a]\n", "f:1:4: an anchor cannot contain itself"),
        ("a: {<<: 3}\n", "f:1:9: `<<` takes a mapping, or a list of mappings"),
        ("a: " + "[" * (MAX_DEPTH + 9), f"f:1:{MAX_DEPTH + 3}: nested deeper than {MAX_DEPTH}"),
    ],
)
def test_yaml_that_cannot_be_used(text: str, expected: str) -> None:
    assert faults(text) == [expected]


def test_syntax_errors_have_a_place() -> None:
    (fault,) = faults("a: 1\nb: [1, 2\nc: 3\n")
    assert fault.startswith("f:3:2: not valid YAML: ")


def test_depth_that_libyaml_itself_may_refuse_is_named_the_same() -> None:
    (fault,) = faults("a: " + "[" * 3000)
    assert fault.endswith(f": nested deeper than {MAX_DEPTH}")


def test_all_repeated_keys_are_found() -> None:
    assert faults("a: 1\nb: {c: 1, c: 2}\na: 3\n") == [
        "f:2:11: the key 'c' stands here twice (first in line 2)",
        "f:3:1: the key 'a' stands here twice (first in line 1)",
    ]


def test_aliases_cannot_expand_without_bound() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (fault,) = faults("\n".join(rows))
    assert fault.endswith("anchors and aliases expand to too much")
    assert MAX_NODES < 10**8


def test_aliases_cannot_nest_without_bound() -> None:
    rows = ["a0: &a0 [[[[[[[[[[x]]]]]]]]]]"]
    rows += [f"a{n}: &a{n} [[[[[[[[[[*a{n - 1}]]]]]]]]]]" for n in range(1, 9)]
    (fault,) = faults("\n".join(rows))
    assert fault.endswith("anchors and aliases expand to too much")


def test_values_are_replaced_and_removed_in_a_copy() -> None:
    tree = parse("a: {b: [1, 2, 3]}\nc: 4\n", "f")
    assert tree.put(("a", "b", 1), None).data() == {"a": {"b": [1, 3]}, "c": 4}
    assert tree.put(("a", "d"), tree.child("c")).data() == {"a": {"b": [1, 2, 3], "d": 4}, "c": 4}
    assert tree.data() == {"a": {"b": [1, 2, 3]}, "c": 4}


def test_a_scalar_has_no_parts() -> None:
    tree = parse("a: 1\n", "f")
    assert (tree.at(("a", "b")), tree.at(("b", 0))) == (None, None)
    with pytest.raises(TypeError):
        tree.put(("a", "b"), tree)


def test_walking_yields_each_value_with_its_location() -> None:
    tree = parse("a: [1, {b: 2}]\n", "f")
    assert [location for location, _ in tree.walk()] == [
        (),
        ("a",),
        ("a", 0),
        ("a", 1),
        ("a", 1, "b"),
    ]


def test_places_count_from_1() -> None:
    assert place_of("ab\ncd", 0) == Mark(1, 1)
    assert place_of("ab\ncd", 4) == Mark(2, 2)
