from __future__ import annotations

import os
from pathlib import Path

import pytest

from extproc.config.prompt_template import MAX_BYTES, ROUTES, check_template, read_template


@pytest.mark.parametrize("routes", ROUTES)
def test_any_way_of_writing_the_agents_will_do(routes: str) -> None:
    check_template(f"{{{routes}}} {{conversation}} {{}} {{ routes }} {{{{routes}}}}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{routes}", "the placeholder {conversation} is missing"),
        ("{conversation}", "the placeholder {routes} is missing"),
        ("{routes} {conversation} {query}", "unknown placeholder {query}; known are "),
    ],
)
def test_a_prompt_that_cannot_work_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_template(text)


def test_a_file_is_taken_byte_for_byte(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_bytes(b"\r\n{routes}\r\n{conversation} \n")
    assert read_template(str(file)) == "\r\n{routes}\r\n{conversation} \n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{routes} {conversation} \xe9", "the prompt file is not UTF-8"),
        (b"{routes}", "the placeholder {conversation} is missing"),
        (b"{routes} {conversation} ".ljust(MAX_BYTES + 1), "larger than 1 MiB"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "prompt.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_template(str(file))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot read the prompt file: No such file"):
        read_template(str(tmp_path / "none.txt"))
    with pytest.raises(ValueError, match="not a file"):
        read_template(str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not a file"):
        read_template(str(tmp_path / "pipe"))
