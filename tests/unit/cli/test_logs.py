from __future__ import annotations

import io
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def line(request_id: str, **more: Any) -> str:
    return json.dumps({"listener": "l", "status": 200, "request_id": request_id, **more}) + "\n"


LINES = [
    "outerloop 0.1.0 is ready\n",
    line("r-1", agent="weather"),
    line("r-2", agent="hotel", plan="weather,hotel"),
    line("r-3", agent="hotel", status=503, error="upstream_reset"),
    line("r-4", agent="hotel", details="upstream_reset_after_response_started{x}"),
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_text("".join(LINES))
    return path


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], object]]]:
    """What happens between two looks at files that are followed; Ctrl-C after the last."""
    happenings: list[Callable[[], object]] = []

    def sleep(_seconds: float) -> None:
        if not happenings:
            raise KeyboardInterrupt
        happenings.pop(0)()

    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", sleep)
        yield happenings


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Give standard input a content."""
    file = (tmp_path / "input").open("w+")

    def fill(text: str) -> None:
        file.write(text)
        file.seek(0)

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch, file:
        patch.setattr(sys, "stdin", file)
        yield fill
    signal.signal(signal.SIGINT, before)


def ids(text: str) -> list[str]:
    return [each.split()[-1] for each in text.splitlines()]


def test_a_file(log: Path, outerloop: Run) -> None:
    result = outerloop("logs", str(log))
    assert (result.code, result.err) == (0, "")
    assert ids(result.out) == ["ready", "r-1", "r-2", "r-3", "r-4"]
    assert result.out.splitlines()[0] == "outerloop 0.1.0 is ready"
    assert "\x1b" not in result.out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--errors",), ["ready", "r-3", "r-4"]),
        (("--agent", "weather"), ["ready", "r-1", "r-2"]),
        (("--request-id", "r-2"), ["ready", "r-2"]),
        (("--errors", "--request-id", "r-2"), ["ready"]),
        (("-n", "2"), ["r-3", "r-4"]),
        (("-n", "0"), []),
        (("-n", "2", "--agent", "weather"), ["r-1", "r-2"]),
    ],
)
def test_what_is_wanted_of_it(
    options: tuple[str, ...], expected: list[str], log: Path, outerloop: Run
) -> None:
    out = outerloop("logs", *options, str(log)).out
    wanted = [each for each in ids(out) if each != "ready"]
    assert wanted == [each for each in expected if each != "ready"]
    if "-n" not in options:
        assert ids(out) == expected


def test_files_come_one_after_another(log: Path, tmp_path: Path, outerloop: Run) -> None:
    other = tmp_path / "other.log"
    other.write_text(line("r-0"))
    result = outerloop("logs", "-n", "1", str(other), str(log))
    assert ids(result.out) == ["r-0", "r-4"]


def test_the_file_of_a_configuration(log: Path, file: Path, outerloop: Run) -> None:
    file.write_text(f"{file.read_text()}observability: {{access_log: {log}}}\n")
    assert ids(outerloop("logs", "-c", str(file)).out)[-1] == "r-4"


@pytest.mark.parametrize(
    ("destination", "words"),
    [("stdout", "outerloop up -c {file} | outerloop logs"), ("null", "access_log is null")],
)
def test_a_configuration_without_a_file(
    destination: str, words: str, file: Path, outerloop: Run
) -> None:
    file.write_text(f"{file.read_text()}observability: {{access_log: {destination}}}\n")
    result = outerloop("logs", "-c", str(file))
    assert (result.code, result.out) == (2, "")
    assert words.format(file=file) in result.err


def test_bad_usage(log: Path, file: Path, outerloop: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outerloop("logs", "-c", str(file), str(log)).code == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    result = outerloop("logs")
    assert result.code == 2
    assert "or pipe one" in result.err


def test_a_file_that_cannot_be_read(tmp_path: Path, outerloop: Run) -> None:
    for options in ((), ("-n", "3"), ("--follow",)):
        result = outerloop("logs", *options, str(tmp_path))
        assert (result.code, result.err) == (1, f"outerloop: {tmp_path}: Is a directory\n")
    missing = outerloop("logs", str(tmp_path / "missing"))
    assert (missing.code, missing.out) == (1, "")
    assert "No such file" in missing.err


def test_standard_input(pipe: Callable[[str], None], outerloop: Run) -> None:
    pipe("".join(LINES) + "the last")
    assert ids(outerloop("logs").out) == ["ready", "r-1", "r-2", "r-3", "r-4", "last"]


def test_the_last_of_standard_input(pipe: Callable[[str], None], outerloop: Run) -> None:
    pipe("".join(LINES))
    assert ids(outerloop("logs", "-n", "1", "--agent", "weather").out) == ["r-2"]


def test_ctrl_c_is_left_to_the_writer(pipe: Callable[[str], None], outerloop: Run) -> None:
    pipe("")
    outerloop("logs")
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_file_is_followed(
    log: Path, tmp_path: Path, looks: list[Callable[[], object]], outerloop: Run
) -> None:
    looks += [
        lambda: log.write_text(log.read_text() + line("r-5")),
        lambda: log.rename(tmp_path / "access.log.1"),
        lambda: log.write_text(line("r-6") + line("r-7", status=404)),
    ]
    result = outerloop("logs", "-f", "-n", "1", str(log))
    assert (result.code, result.err) == (0, "")
    assert ids(result.out) == ["r-4", "r-5", "r-6", "r-7"]


def test_what_is_shown_of_a_file_that_is_followed(
    log: Path, looks: list[Callable[[], object]], outerloop: Run
) -> None:
    assert looks == []
    log.write_text("".join(line(f"r-{number}") for number in range(100)))
    assert ids(outerloop("logs", "-f", str(log)).out) == [f"r-{each}" for each in range(80, 100)]
    result = outerloop("logs", "-f", "-n", "2", "--request-id", "r-7", str(log))
    assert ids(result.out) == ["r-7"]


def test_a_file_that_is_not_there_yet(
    log: Path, looks: list[Callable[[], object]], outerloop: Run
) -> None:
    log.unlink()
    looks += [lambda: None, lambda: log.write_text(line("r-1"))]
    result = outerloop("logs", "-f", str(log))
    assert (ids(result.out), result.err) == (["r-1"], f"outerloop: waiting for {log}\n")


def test_hostile_lines(log: Path, outerloop: Run) -> None:
    log.write_bytes(
        b"ready \x1b[31mred\x07\ta tab\n"
        + b"x" * 2**21
        + b"\n[1]\n{broken\n"
        + b'{"a":' * 10_000
        + b"\n"
        + line("\x1b[2J\u202e").encode()
    )
    result = outerloop("logs", str(log))
    assert result.code == 0
    assert result.err == "outerloop: passed over a line of more than 1 MiB\n"
    first, *_, last = lines = result.out.splitlines()
    assert (first, len(lines)) == ("ready �[31mred�\ta tab", 5)
    assert last.endswith("�[2J�")
    assert lines[1:3] == ["[1]", "{broken"]
