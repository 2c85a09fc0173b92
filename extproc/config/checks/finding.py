"""What a check hands back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from extproc.config.faults import Location, did_you_mean, path_text
from extproc.config.yaml_source import Node


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault at a location of the checked tree.

    Messages quote a value only as it is written in the file. `needs` are locations that the
    finding says to be empty: it is void where a faulty value stands in one of them. A file with
    an `is_warning` can be used all the same.
    """

    location: Location
    message: str
    at_key: bool = False
    needs: tuple[Location, ...] = ()
    is_warning: bool = False


def unknown(tree: Node, location: Location, section: str) -> Finding:
    """Describe a reference that names nothing in the list `section` of the file."""
    node, entries = tree.at(location), tree.child(section)
    raw = node.raw[:64] if node else ""
    written = (entry.child("id") for _, entry in entries.children()) if entries else ()
    near = did_you_mean(raw, {each.raw for each in written if each})
    return Finding(location, f"no entry of `{section}` has the id {raw!r}{near}")


def repeated(locations: Iterable[tuple[str, Location]], what: str) -> Iterator[Finding]:
    """Report every value that stands a second time, with the place of the first."""
    first: dict[str, Location] = {}
    for value, location in locations:
        if value in first:
            yield Finding(location, f"the same {what} as {path_text(first[value])}")
        first.setdefault(value, location)
