"""Filters by name: the built-in ones and those of other packages, all through one registry.

A package registers a filter in its own `pyproject.toml`:

    [project.entry-points."outerloop.filters"]
    shout = "my_package:Shout"

The name is what `use` says. The object is called with the filter's options and returns an
`extproc.filters.api.Filter`. Where it has a pydantic model `Options`, the options are checked by
it and given as one. `phases`, if it is there, says where it may stand: a set of `input`, `output`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from pydantic import BaseModel

GROUP: Final = "outerloop.filters"
PHASES: Final = frozenset({"input", "output"})

Factory = Callable[[Any], Any]


class PluginError(Exception):
    """A filter cannot be loaded; the message says why and what to do."""


@cache
def _registered() -> Mapping[str, EntryPoint]:
    return {each.name: each for each in entry_points(group=GROUP)}


def plugin_names() -> frozenset[str]:
    """Return the names that `use` may say."""
    return frozenset(_registered())


@cache
def load_plugin(name: str) -> Factory:
    """Return what makes the filters of a name. Raises `PluginError`."""
    entry = _registered().get(name)
    if entry is None:
        raise PluginError(f"there is no filter {name}")
    try:
        factory: Factory = entry.load()
    except ImportError as error:
        missing = f"; the module {error.name} is missing" if error.name else ""
        raise PluginError(f"the filter {name} cannot be loaded{missing}") from error
    return factory


def options_model(factory: Factory) -> type[BaseModel] | None:
    """Return the model of a filter's options, None where it takes them as they are written."""
    model = getattr(factory, "Options", None)
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def phases(factory: Factory) -> frozenset[str]:
    """Return where a filter may stand."""
    return frozenset(getattr(factory, "phases", PHASES))
