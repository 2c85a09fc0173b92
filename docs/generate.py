"""Writes docs/configuration.md from the configuration models."""  # noqa: INP001 - a script

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from extproc.config import compat
from extproc.config.model import deploy, types
from extproc.config.model.types import Section
from extproc.config.schema import section_of, sections
from extproc.plugins import load_plugin, options_model, plugin_names

PAGE: Final = Path(__file__).with_name("configuration.md")

INTRODUCTION: Final = """\
# Configuration

<!-- Written by `make docs` from extproc/config/model; change it there. -->

One YAML file says everything. `outerloop check -c FILE` names every fault of it at once, as
`file:line:column: message`; nothing starts on a file with a fault. Every key has a default but
those marked *required*; the defaults are safe to run in production. A whole file:

```yaml
version: v1
agents:
  - id: weather_agent
    url: http://localhost:10510
  - id: flight_agent
    url: http://localhost:10520
listeners:
  - name: travel
    port: 8001
    agents:
      - id: weather_agent
        description: Real-time weather and multi-day forecasts for any city.
        default: true
      - id: flight_agent
        description: Flight schedules, status and gates between any two airports.
```

## How values are written

- **Environment.** `$VAR` and `${VAR}` in any text are replaced from the environment of the process;
  `$$` is a dollar. A variable that is not set is a fault, or a warning where its key has no effect.
  What came from the environment is never shown in a fault.
- **Durations** have a unit: `250ms`, `30s`, `1.5m`, `1h`. A bare number is seconds.
- **Sizes** have a unit: `500KB` (1000), `32MiB` (1024), `1GiB`. A bare number is bytes.
- **URLs** begin with `http://` or `https://` and have no user name, password, query or fragment. An
  agent's path is put before the path of each request; one that ends in `/v1` is not doubled.
- **Texts** that YAML would read as a number or `null` stand in quotes; `yes` and `no` are texts.
- **Paths** of files start at the folder of the configuration file.
- YAML's anchors, aliases and merge keys work. Tags, a key that stands twice and a second document
  are faults.

An unknown key is a fault, and so is a reference to an agent or filter that does not exist. A key
that is accepted but does nothing is named in a warning.

## Files of Plano

Agent files of Plano (`version: v0.3.0` and `v0.4.0`) load unchanged:

- `agents`, `filters` and listeners of type `agent` mean what they mean below; `filter_chain` is the
  older name of `input_filters`.
- `tracing.opentracing_grpc_endpoint` is our `tracing.otlp_endpoint`.
- The model that `overrides.agent_orchestration_model` names becomes `orchestrator.model`, with
  `strategy: model`, where its entry in `model_providers` has a `base_url`.
- A path such as `/v1/chat/completions` at the end of an agent's url becomes `/v1`: the request
  brings the rest.
- An address that is not given is `127.0.0.1`.
- Listeners of type `model` and `prompt` are **not served**, and a warning says so. A file that has
  no other is a fault.

What remains of these keys has no effect in any version, and each is named in a warning:

"""


BUILT_IN: Final = """\
# Options of the built-in filters

What stands under `filters[].options` of a filter of `type: builtin`, by what `use` names.
[Filters](filters.md) says what they do.
"""


def page() -> str:
    """Return the text of docs/configuration.md."""
    parts = [INTRODUCTION + _compatibility_keys()]
    parts += [_table(key, section) for key, section in sections()]
    parts.append(BUILT_IN)
    parts += [_table(key, section) for key, section in built_in()]
    return "\n".join(parts)


def built_in() -> Iterator[tuple[str, type[Section]]]:
    """Yield the options of each filter that comes with the package, with the name before them."""
    for name in sorted(plugin_names()):
        factory = load_plugin(name)
        model = options_model(factory)
        ours = str(getattr(factory, "__module__", "")).startswith("extproc.")
        if ours and model is not None and issubclass(model, Section):
            yield from sections(model, f"{name}.options")


def _compatibility_keys() -> str:
    keys = [f"`{key}`" for key in compat.TOP_KEYS]
    keys += [f"`listeners[].{key}`" for key in compat.LISTENER_KEYS]
    keys += [f"`tracing.{key}`" for key in compat.TRACING_KEYS]
    keys.append("`filters[].streaming`")
    return textwrap.fill(", ".join(keys) + ".", 100) + "\n"


def _table(key: str, section: type[Section]) -> str:
    summary = (section.__doc__ or "").split("\n\n")[0]
    rows = "".join(_rows(key, section))
    return (
        f"## {f'`{key}`' if key else 'The file'}\n\n{summary}\n\n"
        f"| key | type | default | |\n|---|---|---|---|\n{rows}"
    )


def _rows(key: str, section: type[Section]) -> Iterator[str]:
    hints = get_type_hints(section, include_extras=True)
    fields = sorted(section.model_fields.items(), key=lambda item: not item[1].is_required())
    for name, field in fields:
        kind = _type(hints[name]) + _range(field)
        if section_of(hints[name]):
            kind = kind.replace("section", f"[section](#{_anchor(f'{key}{name}')})")
        cells = (f"`{name}`", kind, _default(field))
        yield f"| {' | '.join(cells)} | {field.description} |\n"


def _anchor(key: str) -> str:
    """Return what a heading of a key is linked by: its letters, digits and underscores."""
    return re.sub(r"\W", "", key)


_VALIDATED: Final[Mapping[Any, str]] = {
    types.parse_size: "size",
    types.parse_identifier: "id",
    types.parse_url: "URL",
    types.parse_header_name: "header name",
    types.parse_added_header: "header name",
    types.parse_forwarded_header: "header name",
    types.parse_header_value: "text",
    types.parse_ip_address: "IP address",
    types.absolute: "path of a file",
    deploy.parse_processor: "address",
}
_PLAIN: Final = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    timedelta: "duration",
    SecretStr: "secret",
    NoneType: "null",
    Any: "anything",
}


def _type(hint: Any) -> str:  # noqa: ANN401 - types of types
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        named = (_VALIDATED.get(getattr(each, "func", None)) for each in arguments[1:])
        return next(filter(None, named), None) or _type(arguments[0])
    choices = tuple(hint) if isinstance(hint, type) and issubclass(hint, Enum) else arguments
    if origin is Literal or choices is not arguments:
        return ", ".join(f"`{each}`" for each in choices)
    if origin in (Union, UnionType):
        return " or ".join(map(_type, arguments))
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"mapping of {_type(arguments[0])} to {_type(arguments[1])}"
    return "section" if section_of(hint) else _PLAIN[hint]


_BOUNDS: Final = {"ge": "from", "le": "up to"}


def _range(field: FieldInfo) -> str:
    bounds = {
        key: getattr(each, key)
        for each in field.metadata
        for key in ("ge", "le")
        if hasattr(each, key)
    }
    if len(bounds) == len(("ge", "le")):
        return f" from {bounds['ge']} to {bounds['le']}"
    return "".join(f" {_BOUNDS[key]} {value}" for key, value in bounds.items())


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    default = field.default
    if isinstance(default, Section):
        return "as below"
    if isinstance(default, timedelta):
        default = types.duration_text(default)
    elif any(getattr(each, "func", None) is types.parse_size for each in field.metadata):
        default = types.size_text(default)
    elif isinstance(default, tuple):
        default = f"[{', '.join(map(str, default))}]"
    elif isinstance(default, bool) or default is None:
        default = {True: "true", False: "false", None: "null"}[default]
    return f"`{default}`" if default != "" else "empty"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
