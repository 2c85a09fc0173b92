"""Checks of `filters`."""

from __future__ import annotations

from collections.abc import Iterator

from extproc.config.checks.finding import Finding, repeated
from extproc.config.model.root import Config


def check_filters(config: Config) -> Iterator[Finding]:
    """Check that every filter says where or what it is."""
    ids = ((each.id, ("filters", i, "id")) for i, each in enumerate(config.filters))
    yield from repeated(ids, "id")
    for index, each in enumerate(config.filters):
        needed, other = ("use", "url") if each.type == "builtin" else ("url", "use")
        if getattr(each, needed) is None:
            at = ("filters", index)
            needs = ((*at, needed), (*at, "type"))
            yield Finding(at, f"a filter of type {each.type} needs `{needed}`", needs=needs)
        if getattr(each, other) is not None:
            message = f"a filter of type {each.type} has no `{other}`"
            needed_type = ("filters", index, "type")
            yield Finding(("filters", index, other), message, at_key=True, needs=(needed_type,))
