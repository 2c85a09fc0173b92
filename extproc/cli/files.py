"""Reading the file a command was given, and what is said where it is faulty."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from extproc.cli.check import summary
from extproc.cli.failures import FAULTS, USAGE, Failure
from extproc.config.load import ConfigError, Loaded, load
from extproc.config.report import as_text


def read(file: Path, environ: Mapping[str, str] = os.environ) -> Loaded:
    """Load `file`; print its warnings. Raises `Failure` with all its faults printed."""
    try:
        loaded = load(file, environ)
    except ConfigError as error:
        click.echo(as_text(error.faults, error.warnings), err=True)
        raise Failure(summary(file, error.faults), FAULTS) from error
    if loaded.warnings:
        click.echo(as_text((), loaded.warnings), err=True)
    return loaded


def pick_listener(names: Sequence[str], name: str | None) -> str:
    """Return the listener that `--listener` names; without it, the only one. Raises `Failure`."""
    if name is None and len(names) > 1:
        raise Failure(f"--listener: one of {', '.join(names)}", USAGE)
    if name is not None and name not in names:
        raise Failure(f"--listener {name}: there is only {', '.join(names)}", USAGE)
    return name or names[0]
