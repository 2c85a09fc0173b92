"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from extproc.logs import LEVELS

INPUT = click.Path(exists=True, dir_okay=False, path_type=Path)


def file(command: Callable[..., Any]) -> Callable[..., Any]:
    """The configuration, which must be named."""
    option = click.option(
        "-c", "--config", "file", type=click.Path(path_type=Path), required=True, help="The YAML."
    )
    return option(command)


def debug(command: Callable[..., Any]) -> Callable[..., Any]:
    """Tracebacks: every command has it."""
    return click.option(
        "--debug", is_flag=True, expose_value=False, help="Show tracebacks of internal errors."
    )(command)


def log_level(command: Callable[..., Any]) -> Callable[..., Any]:
    """How much is logged."""
    return click.option(
        "--log-level", type=click.Choice(LEVELS), default="info", show_default=True
    )(command)


as_json = click.option("--json", "as_json", is_flag=True, help="For machines.")
running = click.option(
    "-c", "--config", "file", type=click.Path(path_type=Path), help="The YAML that runs."
)
asked = click.option("--admin", metavar="HOST:PORT", help="Of the admin. Default: the file's.")
admin = click.option("--admin", metavar="ADDR", help="host:port of the admin; port 0: any free.")
workers = click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes."
)
drain_time = click.option(
    "--drain-time",
    type=click.FloatRange(0, 3600),
    default=30.0,
    show_default=True,
    help="Seconds running requests get to finish.",
)
