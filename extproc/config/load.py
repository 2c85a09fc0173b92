"""Reads and checks the one configuration file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from extproc.config.compat import translate
from extproc.config.enabled import without_disabled
from extproc.config.environment import Unresolved, substitute
from extproc.config.faults import ConfigError, Fault, Location, in_order, path_text
from extproc.config.model.root import Config
from extproc.config.validate import validate
from extproc.config.yaml_source import Node, parse, place_of

__all__ = ["MAX_FILE_BYTES", "ConfigError", "Fault", "Loaded", "load", "loads"]

MAX_FILE_BYTES: Final = 4 * 2**20
"""1,000 agents with 20 examples each need about half of it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration without a fault, and the text it was read from.

    Agents with `enabled: false` are not in it.
    """

    config: Config
    warnings: tuple[Fault, ...]
    text: str = field(repr=False)


def load(path: Path, environ: Mapping[str, str] | None = None) -> Loaded:
    """Read a configuration file. Raises ConfigError with all its faults.

    `environ` is the process's own by default. Relative paths in the file start at its folder.
    """
    return loads(read_text(path), str(path), environ, path.absolute().parent)


def loads(
    text: str, file: str, environ: Mapping[str, str] | None = None, base_dir: Path | None = None
) -> Loaded:
    """Read a configuration from its text; `file` is what faults call it. As `load` otherwise."""
    tree, unresolved = substitute(parse(text, file), os.environ if environ is None else environ)
    translation = translate(tree, file)
    tree = translation.tree
    live = {node.path: location for location, node in tree.walk()}
    blank = {each: live[each.node.path] for each in unresolved if each.node.path in live}
    errors, warnings = _unresolved(tree, unresolved, blank, file)
    validated = validate(tree, frozenset(blank.values()), file, base_dir or Path.cwd())
    said = {fault.path for fault in translation.errors}
    unsaid = (fault for fault in validated.errors if fault.path not in said)
    all_errors = in_order((*translation.errors, *errors, *unsaid))
    warnings += validated.warnings
    all_warnings = in_order((*translation.warnings, *warnings))
    if all_errors:
        raise ConfigError(all_errors, all_warnings)
    return Loaded(without_disabled(validated.config), all_warnings, text)


def read_text(path: Path) -> str:
    """Read a file of UTF-8, with or without byte order mark. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise _file_error(path, reason[0].lower() + reason[1:]) from None
    if len(content) > MAX_FILE_BYTES:
        raise _file_error(path, f"larger than {MAX_FILE_BYTES // 2**20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8-sig")
        mark = place_of(before, len(before))
        fault = Fault(str(path), mark.line, mark.column, "", "not UTF-8 from here on")
        raise ConfigError((fault,)) from None


def _file_error(path: Path, message: str) -> ConfigError:
    return ConfigError((Fault(str(path), 1, 1, "", message),))


def _unresolved(
    tree: Node, unresolved: tuple[Unresolved, ...], used: Mapping[Unresolved, Location], file: str
) -> tuple[list[Fault], list[Fault]]:
    """A variable that is not set is an error, but a warning where its key has no effect."""
    errors: list[Fault] = []
    warnings: list[Fault] = []
    for each in unresolved:
        location = used.get(each)
        idle = location is None or _is_disabled(tree, location)
        message = f"{path_text(each.node.path)}: {each.problem}"
        (warnings if idle else errors).append(each.node.fault(file, message))
    return errors, warnings


def _is_disabled(tree: Node, location: Location) -> bool:
    enabled = tree.at((*location[:2], "enabled"))
    return location[:1] == ("agents",) and enabled is not None and enabled.value is False
