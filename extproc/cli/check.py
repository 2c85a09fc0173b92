"""`outerloop check`: everything that is wrong with a file, at once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from extproc.cli.failures import FAULTS, Failure
from extproc.config.faults import Fault
from extproc.config.load import ConfigError, load
from extproc.config.report import as_json, as_text


def check(file: Path, *, as_json_object: bool) -> None:
    """Report on `file`. Raises `Failure` where it has faults; warnings are none."""
    errors: tuple[Fault, ...] = ()
    try:
        warnings = load(file, os.environ).warnings
    except ConfigError as error:
        errors, warnings = error.faults, error.warnings
    if as_json_object:
        click.echo(json.dumps(as_json(errors, warnings)))
    elif errors or warnings:
        click.echo(as_text(errors, warnings), err=True)
    if errors:
        raise Failure(summary(file, errors), FAULTS)
    if not as_json_object:
        click.echo(f"{file}: ok")


def summary(file: Path, errors: tuple[Fault, ...]) -> str:
    """Say how many faults `file` has."""
    return f"{len(errors)} fault{'s' if len(errors) > 1 else ''} in {file}"
