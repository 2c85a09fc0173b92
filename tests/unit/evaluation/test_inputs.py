from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from extproc.evaluation.inputs import BadInput, explain, read_bytes


class Thing(BaseModel):
    names: list[str]


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"\xef\xbb\xbf{}")
    assert read_bytes(file) == b"{}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        read_bytes(tmp_path / "nothing")


def test_values_are_not_quoted() -> None:
    with pytest.raises(ValidationError) as caught:
        Thing.model_validate({"names": ["a", {"secret": 1}]})
    assert explain(caught.value, "f:3") == ["f:3: names[1]: Input should be a valid string"]


def test_a_fault_of_the_whole_has_no_path() -> None:
    with pytest.raises(ValidationError) as caught:
        Thing.model_validate([])
    (line,) = explain(caught.value, "f:3")
    assert line.startswith("f:3: Input should be")
