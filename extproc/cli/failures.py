"""How commands end: one place for exit codes and what stands on standard error."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Final

import click

FAULTS: Final = 1
USAGE: Final = 2
NOT_STARTED: Final = 3


class Failure(Exception):
    """Ends the command with `code`; the text is for a person."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def run(command: Callable[[], object], *, debug: bool) -> int:
    """Run a command and return its exit code. Errors are one line each, a traceback if `debug`."""
    try:
        command()
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.Abort:
        return FAULTS
    except BrokenPipeError:
        # The reader has enough: `outerloop route ... | head`.
        sys.stderr.close()
        return 0
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
