from __future__ import annotations

import click
import pytest

from extproc.cli.failures import FAULTS, NOT_STARTED, USAGE, Failure, run

SECRET = "sk-very-secret"


def raising(error: BaseException) -> object:
    raise error


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (Failure("port 1 is in use", NOT_STARTED), NOT_STARTED, "outerloop: port 1 is in use"),
        (click.UsageError("no such option"), USAGE, "no such option"),
        (click.Abort(), FAULTS, ""),
        (ZeroDivisionError(SECRET), NOT_STARTED, "internal error: ZeroDivisionError"),
    ],
)
def test_every_end_has_a_code_and_a_line(
    error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(lambda: raising(error), debug=False) == code
    shown = capsys.readouterr().err
    assert text in shown
    assert SECRET not in shown
    assert "Traceback" not in shown


def test_debug_shows_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda: raising(ZeroDivisionError("x")), debug=True) == NOT_STARTED
    assert "Traceback" in capsys.readouterr().err


def test_success_is_zero() -> None:
    assert run(lambda: None, debug=False) == 0
