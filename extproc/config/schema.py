"""The sections of the YAML, read from the models themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from extproc.config.faults import Location
from extproc.config.model.root import Config
from extproc.config.model.types import Section


def section_of(annotation: Any) -> type[Section] | None:  # noqa: ANN401 - types of types
    """Return the section inside an annotation such as `tuple[Agent, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    inner = (section_of(argument) for argument in get_args(annotation))
    return next(filter(None, inner), None)


def section_at(location: Location) -> type[Section] | None:
    """Return the section that describes the mapping at a location of the file."""
    section: type[Section] | None = Config
    for part in location:
        if isinstance(part, str) and section is not None:
            field = section.model_fields.get(part)
            section = section_of(field.annotation) if field else None
    return section


def sections(section: type[Section] = Config, key: str = "") -> Iterator[tuple[str, type[Section]]]:
    """Yield all sections with the key they stand under, as in `agents[].retries`."""
    yield key, section
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        if inner:
            many = "[]" if "tuple" in str(field.annotation) else ""
            yield from sections(inner, f"{key}.{name}{many}".removeprefix("."))
