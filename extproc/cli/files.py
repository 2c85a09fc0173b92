"""Reading the file a command was given, and what is said where it is faulty."""

from __future__ import annotations

import os
from pathlib import Path

import click

from extproc.cli.failures import FAULTS, Failure
from extproc.config.load import ConfigError, Loaded, load


def read(file: Path) -> Loaded:
    """Load `file`; print its warnings. Raises `Failure` with all its faults."""
    try:
        loaded = load(file, os.environ)
    except ConfigError as error:
        for fault in (*error.warnings, *error.faults):
            click.echo(str(fault), err=True)
        raise Failure(f"{len(error.faults)} faults in {file}", FAULTS) from error
    for warning in loaded.warnings:
        click.echo(f"{warning}", err=True)
    return loaded
