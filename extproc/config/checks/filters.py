"""Checks of `filters`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from typing import Final

from pydantic import ValidationError

from extproc.config.checks.finding import Finding, repeated
from extproc.config.faults import Location, did_you_mean
from extproc.config.messages import in_words
from extproc.config.model.filters import Filter
from extproc.config.model.root import Config
from extproc.plugins import PluginError, load_plugin, options_model, phases, plugin_names

_ONLY_OF: Final = {
    "tool": ("mcp",),
    "transport": ("mcp",),
    "options": ("builtin",),
    "forward_headers": ("mcp", "http"),
}
"""Keys that mean something for some types of filters alone."""


def check_filters(config: Config) -> Iterator[Finding]:
    """Check that every filter says where or what it is, and that what it names is there."""
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
        yield from _idle(each, ("filters", index))
        if each.type == "mcp" and find_spec("mcp") is None:
            message = "MCP filters need: pip install 'outerloop-extproc[mcp]'"
            yield Finding(("filters", index), message)
        if each.type == "builtin" and each.use is not None:
            yield from _plugin(each, each.use, ("filters", index))


def working_phases(config: Config) -> dict[str, frozenset[str]]:
    """Return in which phases filters work, by their ids: those that are loaded and say so."""
    found = {}
    for each in config.filters:
        if each.type == "builtin" and each.use in plugin_names():
            with suppress(PluginError):
                found[each.id] = phases(load_plugin(each.use))
    return found


def _idle(config: Filter, at: Location) -> Iterator[Finding]:
    for key, types in _ONLY_OF.items():
        if key in config.model_fields_set and config.type not in types:
            message = f"has no effect on a filter of type {config.type}"
            needs = ((*at, "type"),)
            yield Finding((*at, key), message, at_key=True, needs=needs, is_warning=True)


def _plugin(config: Filter, name: str, at: Location) -> Iterator[Finding]:
    """Load the filter that is named, and let it check its options."""
    names = plugin_names()
    if name not in names:
        near = did_you_mean(name, names) or f"; known are {', '.join(sorted(names))}"
        message = f"there is no filter {name!r}{near}"
        yield Finding((*at, "use"), message, needs=((*at, "type"),))
        return
    try:
        model = options_model(load_plugin(name))
    except PluginError as error:
        yield Finding((*at, "use"), str(error))
        return
    if model is None:
        return
    try:
        model.model_validate(config.options)
    except PluginError as error:
        yield Finding((*at, "options"), str(error), at_key=True)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            where = (*at, "options", *detail["loc"])
            lacks = detail["type"] == "missing"
            known = model.model_fields if len(detail["loc"]) == 1 else ()
            yield Finding(
                where[:-1] if lacks else where,
                in_words(detail, known),
                at_key=detail["type"] == "extra_forbidden",
            )
