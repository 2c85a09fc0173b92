"""How commands end: one place for exit codes and what stands on standard error."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Final, NoReturn

import click

FAULTS: Final = 1
USAGE: Final = 2
NOT_STARTED: Final = 3


class Failure(Exception):
    """Ends the command with `code`; the text is for a person."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Commands(click.Group):
    """Commands that end well where their reader has enough: `outerloop route ... | head`."""

    def invoke(self, ctx: click.Context) -> object:
        """Run one, before click takes a closed pipe for an error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            reader_has_gone()


def reader_has_gone() -> NoReturn:
    """End with 0 and in silence."""
    # What is still buffered would fail once more when the interpreter ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(0)


def run(command: Callable[[], object], *, debug: bool) -> int:
    """Run a command and return its exit code. Errors are one line each, a traceback if `debug`."""
    try:
        command()
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.Abort:
        return FAULTS
    except Failure as error:
        click.echo(f"outerloop: {error}", err=True)
        return error.code
    except Exception as error:  # noqa: BLE001 - the outermost place: a person sees no traceback
        if debug:
            traceback.print_exc()
        else:
            name = type(error).__name__
            click.echo(f"outerloop: internal error: {name} (--debug shows where)", err=True)
        return NOT_STARTED
    return 0
