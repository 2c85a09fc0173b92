from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from extproc.cli.watching.output import in_colour, on_terminal, write


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert (on_terminal(), in_colour()) == (False, False)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert (on_terminal(), in_colour()) == (True, True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert (on_terminal(), in_colour()) == (True, False)
    monkeypatch.setenv("TERM", "dumb")
    assert (on_terminal(), in_colour()) == (False, False)


def test_lines_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    write(["one", "two"])
    write([])
    assert capsys.readouterr().out == "one\ntwo\n"


def test_what_the_encoding_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    write(["日本"])
    assert written.getvalue() == b"??\n"


def test_a_reader_that_has_enough_ends_the_command() -> None:
    code = "from extproc.cli.watching.output import write\nwhile True: write(['x' * 1000])"
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", code]
    result = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, check=False, timeout=30
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, b"")
