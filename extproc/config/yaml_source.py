"""YAML text as a tree in which every key and value knows its line and column.

Scalars follow the YAML 1.2 core schema (`yes` and `no` are texts), because half of the values are
header values and descriptions. Anchors, aliases and merge keys work; what they expand to is
bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import yaml
from yaml.reader import Reader

from extproc.config.faults import ConfigError, Fault, Location, in_order, path_text

MAX_DEPTH: Final = 50
MAX_NODES: Final = 500_000
"""Values after expanding aliases: ten times what a file of 1,000 agents with 20 examples has."""

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG: Final = "tag:yaml.org,2002:"
_TEXT_TAGS: Final = frozenset(_TAG + name for name in ("str", "timestamp", "value", "merge"))
_MERGE: Final = _TAG + "merge"
_LONGEST_NUMBER: Final = 18
"""Digits; longer numbers stay text, which numeric fields refuse or read by themselves."""

_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]*)")

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the file, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file.

    `path` is where it stands in the file, whatever became of the tree since. `raw` is a scalar as
    written, before variables are put in: the only form of it that messages may quote.
    """

    path: Location
    mark: Mark
    key: Mark | None
    value: Scalar | tuple[Node, ...] | Mapping[str, Node]
    raw: str = ""

    def data(self) -> Any:  # noqa: ANN401 - whatever YAML holds
        """Return the value as plain dicts, lists and scalars."""
        if isinstance(self.value, tuple):
            return [child.data() for child in self.value]
        if isinstance(self.value, Mapping):
            return {key: child.data() for key, child in self.value.items()}
        return self.value

    def child(self, part: str | int) -> Node | None:
        """Return the value of a key or at an index, None where there is none."""
        if isinstance(self.value, Mapping):
            return self.value.get(part) if isinstance(part, str) else None
        if isinstance(self.value, tuple) and isinstance(part, int):
            return self.value[part] if part < len(self.value) else None
        return None

    def at(self, location: Location) -> Node | None:
        """Return the value at a location below this one."""
        node: Node | None = self
        for part in location:
            node = node and node.child(part)
        return node

    def children(self) -> Iterator[tuple[str | int, Node]]:
        """Yield keys or indexes with their values."""
        if isinstance(self.value, tuple):
            yield from enumerate(self.value)
        elif isinstance(self.value, Mapping):
            yield from self.value.items()

    def walk(self) -> Iterator[tuple[Location, Node]]:
        """Yield every value below this one, itself first, with its location in this tree."""
        yield (), self
        for part, child in self.children():
            for location, node in child.walk():
                yield (part, *location), node

    def put(self, location: Location, child: Node | None) -> Node:
        """Return the tree with another value at `location`; None removes it.

        What contains the value must be there.
        """
        part, *rest = location
        if rest:
            inner = self.child(part)
            child = inner.put(tuple(rest), child) if inner else None
        if isinstance(self.value, Mapping) and isinstance(part, str):
            entries = {key: node for key, node in self.value.items() if child or key != part}
            return replace(self, value=entries | {part: child} if child else entries)
        if isinstance(self.value, tuple) and isinstance(part, int):
            items = (*self.value[:part], *((child,) if child else ()), *self.value[part + 1 :])
            return replace(self, value=items)
        raise TypeError("a scalar has no parts")

    def fault(self, file: str, message: str, *, at_key: bool = False) -> Fault:
        """Describe this value, or its key, as faulty."""
        mark = self.key if at_key and self.key else self.mark
        return Fault(file, mark.line, mark.column, path_text(self.path), message)


def parse(text: str, file: str) -> Node:
    """Read one YAML document whose top is a mapping.

    Raises ConfigError with every fault of the YAML itself; a syntax error hides what follows it.
    """
    unprintable = Reader.NON_PRINTABLE.search(text)
    if unprintable:
        place = place_of(text, unprintable.start())
        raise _error(file, place, "a control character that YAML does not allow")
    try:
        _check_events(text, file)
        top = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)
        raise _error(file, place, _syntax_message(error, text)) from None
    if top is None:
        raise _error(file, Mark(1, 1), "the file is empty")
    builder = _Builder(file)
    tree = builder.build(top, (), None)
    if not isinstance(tree.value, Mapping):
        builder.note(top, (), "the file must be a mapping that begins with `version:`")
    if builder.faults:
        raise ConfigError(in_order(builder.faults))
    return tree


def place_of(text: str, index: int) -> Mark:
    """Return the place of a character of `text`."""
    before = text[:index]
    return Mark(before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)


def _error(file: str, place: Mark, message: str) -> ConfigError:
    return ConfigError((Fault(file, place.line, place.column, "", message),))


def _mark(node: yaml.Node | yaml.Event) -> Mark:
    mark = node.start_mark
    return Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)


def _check_events(text: str, file: str) -> None:
    """Refuse depth and further documents before anything recursive sees them."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        if depth > MAX_DEPTH:
            raise _error(file, _mark(event), f"nested deeper than {MAX_DEPTH}")
        if documents > 1:
            raise _error(file, _mark(event), "only one YAML document is allowed")


def _syntax_message(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark
    if mark and text[mark.index : mark.index + 1] == "\t":
        return "a tab cannot indent YAML; use blanks"
    if error.problem and "nesting depth" in error.problem:
        # libyaml reads ahead, and some versions of it give up before we have counted.
        return f"nested deeper than {MAX_DEPTH}"
    context = f"{error.context}: " if error.context else ""
    return f"not valid YAML: {context}{error.problem}"


class _Builder:
    """Turns composed YAML nodes into ours, with all faults on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self._open: set[int] = set()
        self._count = 0

    def note(self, node: yaml.Node, path: Location, message: str) -> None:
        mark = _mark(node)
        self.faults.append(Fault(self.file, mark.line, mark.column, path_text(path), message))

    def build(self, node: yaml.Node, path: Location, key: Mark | None) -> Node:
        self._count += 1
        if self._count > MAX_NODES or len(path) > MAX_DEPTH:
            self.note(node, path, "anchors and aliases expand to too much")
            raise ConfigError(in_order(self.faults))
        if id(node) in self._open:
            self.note(node, path, "an anchor cannot contain itself")
            return Node(path, _mark(node), key, None)
        self._open.add(id(node))
        value = self._value(node, path)
        self._open.discard(id(node))
        raw = node.value if isinstance(node, yaml.ScalarNode) else ""
        return Node(path, _mark(node), key, value, raw)

    def _value(
        self, node: yaml.Node, path: Location
    ) -> Scalar | tuple[Node, ...] | Mapping[str, Node]:
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return tuple(
                self.build(child, (*path, index), None) for index, child in enumerate(node.value)
            )
        if isinstance(node, yaml.ScalarNode) and _is_plain_tag(node.tag):
            return _scalar(node)
        self.note(node, path, "YAML tags are not allowed")
        return None

    def _mapping(self, node: yaml.MappingNode, path: Location) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merged = self._merge(value_node, path) | merged
                continue
            name: Scalar = _scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(name, str):
                self.note(key_node, path, "a key must be text; put it in quotes")
            elif name in entries:
                first = entries[name].key
                where = f" (first in line {first.line})" if first else ""
                self.note(key_node, (*path, name), f"the key {name!r} stands here twice{where}")
            else:
                entries[name] = self.build(value_node, (*path, name), _mark(key_node))
        return merged | entries

    def _merge(self, node: yaml.Node, path: Location) -> dict[str, Node]:
        """Read the value of `<<`; of several mappings the first one wins."""
        merged: dict[str, Node] = {}
        for part in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(part, yaml.MappingNode):
                value = self.build(part, path, None).value
                merged = dict(value) | merged if isinstance(value, Mapping) else merged
            else:
                self.note(part, path, "`<<` takes a mapping, or a list of mappings")
        return merged


def _is_plain_tag(tag: str) -> bool:
    return tag in _TEXT_TAGS or tag in (_TAG + "null", _TAG + "bool", _TAG + "int", _TAG + "float")


def _scalar(node: yaml.ScalarNode) -> Scalar:
    """Read a scalar; what is no number, boolean or null of YAML 1.2 stays as written."""
    text = str(node.value)
    if node.tag == _TAG + "null":
        return None
    if node.tag == _TAG + "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if len(text) > _LONGEST_NUMBER:
        return text
    if node.tag == _TAG + "int" and _INTEGER.fullmatch(text):
        return int(text)
    if node.tag == _TAG + "float" and "_" not in text and ":" not in text:
        return _number(text)
    return text


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:  # .inf and .nan
        return text
