from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.cli.watching.tail import LONGEST, Line, Splitter, Tail, start_of_last


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def tail(log: Path) -> Iterator[Tail]:
    tail = Tail(log, None)
    yield tail
    tail.close()


def new(tail: Tail) -> list[Line]:
    return [line for lines in tail.new() for line in lines]


def append(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


@given(st.lists(st.binary(max_size=9)), st.lists(st.integers(0, 40)))
def test_lines_do_not_depend_on_how_they_are_cut(lines: list[bytes], cuts: list[int]) -> None:
    content = b"\n".join(lines)
    splitter, got = Splitter(), []
    ends = sorted({min(cut, len(content)) for cut in cuts} | {len(content)})
    for start, end in zip([0, *ends], ends, strict=False):
        got += splitter.feed(content[start:end])
    *whole, last = content.split(b"\n")
    expected = [*whole, last] if last else whole
    assert [*got, *splitter.rest()] == [
        line.removesuffix(b"\r").decode(errors="replace") for line in expected
    ]


def test_a_line_that_is_too_long_is_passed_over() -> None:
    splitter = Splitter()
    assert splitter.feed(b"one\n" + b"x" * LONGEST) == ["one"]
    assert splitter.feed(b"x") == [None]
    assert splitter.feed(b"x" * LONGEST) == []
    assert splitter.feed(b"x\ntwo\nthr") == ["two"]
    assert splitter.feed(b"x" * LONGEST + b"\nfour\n") == [None, "four"]
    assert splitter.feed(b"y" * (LONGEST + 1)) == [None]
    assert splitter.rest() == []


def test_a_file_is_read_as_it_grows(log: Path, tail: Tail) -> None:
    assert new(tail) == []
    append(log, "one\ntw")
    assert new(tail) == ["one"]
    append(log, "o\n")
    assert new(tail) == ["two"]
    assert new(tail) == []


def test_a_file_that_is_cut_short_begins_again(log: Path, tail: Tail) -> None:
    append(log, "one\ntwo\nth")
    assert new(tail) == ["one", "two"]
    log.write_text("new\n")
    assert new(tail) == ["new"]


def test_a_file_that_is_replaced_is_read_to_its_end(log: Path, tail: Tail, tmp_path: Path) -> None:
    append(log, "one\n")
    assert new(tail) == ["one"]
    old = log.rename(tmp_path / "access.log.1")
    append(old, "two\n")
    assert new(tail) == ["two"]
    log.touch()
    # The writer has not been told yet.
    append(old, "three\n")
    assert new(tail) == ["three"]
    append(old, "four\nfive")
    append(log, "six\n")
    assert new(tail) == ["four", "five", "six"]


def test_a_file_that_goes_and_comes_again(log: Path, tail: Tail) -> None:
    append(log, "one\n")
    assert new(tail) == ["one"]
    log.unlink()
    assert new(tail) == []
    append(log, "two\n")
    assert new(tail) == ["two"]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        new(Tail(tmp_path, None))


def last(content: bytes, count: int, wanted: bytes = b"") -> bytes:
    file = io.BytesIO(content)
    return content[start_of_last(file, count, lambda line: wanted.decode() in line) :]


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, b""),
        (1, b"three"),
        (2, b"two\nthree"),
        (3, b"one\ntwo\nthree"),
        (9, b"one\ntwo\nthree"),
    ],
)
def test_the_last_lines(count: int, shown: bytes) -> None:
    assert last(b"one\ntwo\nthree", count) == shown


def test_the_last_lines_that_are_wanted() -> None:
    content = b"a1\nb\na2\nb\n"
    assert last(content, 1, b"a") == b"a2\nb\n"
    assert last(content, 2, b"a") == content
    assert last(b"", 5) == b""


def test_the_last_lines_of_a_large_file() -> None:
    lines = [b"%07d" % number for number in range(200_000)]
    assert last(b"\n".join(lines), 3) == b"\n".join(lines[-3:])
    assert last(b"\n".join(lines), 1, b"0000007") == b"\n".join(lines[7:])


def test_a_long_line_is_not_among_the_last() -> None:
    content = b"one\n" + b"x" * 3 * LONGEST + b"\ntwo\n"
    assert last(content, 2) == content
    assert last(content, 1) == b"two\n"
