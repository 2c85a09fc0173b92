"""Reading the file a command was given, and what is said where it is faulty."""

from __future__ import annotations

import os
from pathlib import Path

import click

from extproc.cli.check import summary
from extproc.cli.failures import FAULTS, Failure
from extproc.config.load import ConfigError, Loaded, load
from extproc.config.report import as_text


def read(file: Path) -> Loaded:
    """Load `file`; print its warnings. Raises `Failure` with all its faults printed."""
    try:
        loaded = load(file, os.environ)
    except ConfigError as error:
        click.echo(as_text(error.faults, error.warnings), err=True)
        raise Failure(summary(file, error.faults), FAULTS) from error
    if loaded.warnings:
        click.echo(as_text((), loaded.warnings), err=True)
    return loaded
