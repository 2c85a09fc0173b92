"""`outerloop render`: Envoy configuration and manifests, on standard output or in files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

from extproc.cli.failures import FAULTS, Failure
from extproc.cli.files import read
from extproc.cli.targets import TARGETS, Order
from extproc.config.lenient import Lenient


def render(file: Path, *, target: str, directory: Path | None) -> None:
    """Print or write what `target` needs; notes go to standard error. Raises `Failure`."""
    environ = Lenient(os.environ)
    loaded = read(file, environ)
    try:
        rendered = TARGETS[target](Order(loaded, tuple(environ.asked), directory))
    except ValueError as error:
        raise Failure(f"{target}: {error}", FAULTS) from error
    for name in environ.missing:
        click.echo(f"note: {name} is not set here; a placeholder stands for it", err=True)
    for note in rendered.notes:
        click.echo(f"note: {note}", err=True)
    if directory is None:
        first, *others = rendered.files
        click.echo(rendered.files[first], nl=False)
        for name in others:
            click.echo(f"note: {name} is written with -o DIR alone", err=True)
        return
    _write(directory, rendered.files)


def _write(directory: Path, files: Mapping[str, str]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            # Renamed: an Envoy that runs notices nothing else, and must not read half of it.
            half = directory / f".{name}.new"
            half.write_text(text, encoding="utf-8")
            half.replace(directory / name)
            click.echo(directory / name)
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}", FAULTS) from error
