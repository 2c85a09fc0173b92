"""Value types of the YAML: durations, sizes, and the base of every section."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_DURATION_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE: Final = re.compile(r"(\d+)\s*(B|KB|MB|GB|KiB|MiB|GiB)?")
_SIZE_UNITS: Final = {
    None: 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}


class Section(BaseModel):
    """A mapping of the YAML: immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def parse_duration(value: Any) -> timedelta:  # noqa: ANN401 - whatever YAML gives
    """Read `250ms`, `30s`, `5m`, `1h`, or a number of seconds. Raises ValueError."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return timedelta(seconds=value)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration is a number with a unit, such as 250ms, 30s, 5m or 1h")
    return timedelta(seconds=float(match[1]) * _DURATION_UNITS[match[2]])


def parse_size(value: Any) -> int:  # noqa: ANN401 - whatever YAML gives
    """Read `32MiB`, `500KB` or a number of bytes. Raises ValueError."""
    match = _SIZE.fullmatch(str(value)) if not isinstance(value, bool) else None
    if match is None:
        raise ValueError("a size is a number with a unit, such as 500KB, 32MiB or 1GiB")
    return int(match[1]) * _SIZE_UNITS[match[2]]


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size), Field(ge=1)]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Port = Annotated[int, Field(ge=0, le=65535)]
Percent = Annotated[float, Field(ge=0, le=100)]
Names = tuple[str, ...]
