"""What pydantic found, in plain words and at its place in the file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pydantic_core import ErrorDetails

from extproc.config.faults import Fault, Location, did_you_mean, path_text
from extproc.config.schema import section_at
from extproc.config.yaml_source import Node

_WORDS: Final = {
    "string_type": "must be text; put it in quotes",
    "string_pattern_mismatch": "has not the form {pattern}",
    "string_too_short": "must not be empty",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "model_type": "must be a mapping of keys; leave the key out for the defaults",
    "model_attributes_type": "must be a mapping of keys; leave the key out for the defaults",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_short": "must have at least one entry",
    "value_error": "{error}",
}


def locate(tree: Node, location: Location) -> tuple[Location, Node]:
    """Return the deepest value of the tree on the way to `location`, and where it is."""
    node, reached = tree, 0
    for part in location:
        child = node.child(part)
        if child is None:
            break
        node, reached = child, reached + 1
    return location[:reached], node


def explain(tree: Node, error: ErrorDetails, file: str) -> Fault:
    """Turn one pydantic error into a fault; values are never quoted, unknown keys are."""
    location, node = locate(tree, error["loc"])
    if error["type"] == "missing":
        return _missing(node, str(error["loc"][-1]), file)
    if error["type"] == "extra_forbidden":
        return _unknown_key(node, file)
    if error["type"] == "literal_error":
        words = f"must be one of {error['ctx']['expected']}{_near_literal(location, node)}"
    else:
        words = _plain(error)
    is_key = error["loc"][-1:] == ("[key]",)
    return node.fault(file, f"{path_text(node.path)}: {words}", at_key=is_key)


def in_words(error: ErrorDetails, known: Iterable[str]) -> str:
    """Say what pydantic found where no tree of ours is at hand; `known` are the keys there."""
    key = str(error["loc"][-1]) if error["loc"] else ""
    if error["type"] == "missing":
        return f"the key {key!r} is missing"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}{did_you_mean(key, known)}"
    if error["type"] == "literal_error":
        return f"must be one of {error['ctx']['expected']}"
    return _plain(error)


def _plain(error: ErrorDetails) -> str:
    context: dict[str, Any] = error.get("ctx", {})
    return _WORDS.get(error["type"], error["msg"]).format_map(context)


def _missing(node: Node, key: str, file: str) -> Fault:
    where = f"{path_text(node.path)}: " if node.path else ""
    fault = node.fault(file, f"{where}the key {key!r} is missing")
    return Fault(file, fault.line, fault.column, path_text((*node.path, key)), fault.message)


def _unknown_key(node: Node, file: str) -> Fault:
    *parents, key = node.path
    section = section_at(tuple(parents))
    known = section.model_fields if section else ()
    where = f"{path_text(tuple(parents))}: " if parents else ""
    message = f"{where}unknown key {key!r}{did_you_mean(str(key), known)}"
    return node.fault(file, message, at_key=True)


def _near_literal(location: Location, node: Node) -> str:
    section = section_at(location[:-1])
    field = section.model_fields.get(str(location[-1])) if section else None
    choices = getattr(field.annotation, "__args__", ()) if field else ()
    return did_you_mean(node.raw, [choice for choice in choices if isinstance(choice, str)])
