"""`$VAR` and `${VAR}` in the texts of a file; `$$` is a dollar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from extproc.config.yaml_source import Node

_REFERENCE: Final = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<plain>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<broken>\{))"
)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A text that could not be filled in."""

    node: Node
    problem: str


def substitute(tree: Node, environ: Mapping[str, str]) -> tuple[Node, tuple[Unresolved, ...]]:
    """Put variables into all texts of the tree.

    A text with a variable that is not set stays as written, and is named in the second value.
    """
    unresolved: list[Unresolved] = []
    return _substitute(tree, environ, unresolved), tuple(unresolved)


def _substitute(node: Node, environ: Mapping[str, str], unresolved: list[Unresolved]) -> Node:
    if isinstance(node.value, tuple):
        return replace(
            node, value=tuple(_substitute(child, environ, unresolved) for child in node.value)
        )
    if isinstance(node.value, Mapping):
        children = {key: _substitute(c, environ, unresolved) for key, c in node.value.items()}
        return replace(node, value=children)
    if not isinstance(node.value, str) or "$" not in node.value:
        return node
    problems = [
        problem
        for match in _REFERENCE.finditer(node.value)
        if (problem := _problem(match, environ))
    ]
    if problems:
        unresolved += [Unresolved(node, problem) for problem in dict.fromkeys(problems)]
        return node
    return replace(node, value=_REFERENCE.sub(lambda match: _text(match, environ), node.value))


def _problem(match: re.Match[str], environ: Mapping[str, str]) -> str | None:
    if match["broken"]:
        return "`${` needs a name and `}`; a dollar is written `$$`"
    name = match["plain"] or match["braced"]
    if name and name not in environ:
        return f"the environment variable {name} is not set; a dollar is written `$$`"
    return None


def _text(match: re.Match[str], environ: Mapping[str, str]) -> str:
    return "$" if match["dollar"] else environ[match["plain"] or match["braced"]]
