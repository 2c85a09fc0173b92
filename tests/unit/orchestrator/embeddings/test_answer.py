from __future__ import annotations

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest

from extproc.errors import OrchestratorFailed
from extproc.orchestrator.embeddings.answer import parse_vectors

NAN, INFINITY = float("nan"), float("inf")


def body(*embeddings: Any, **members: list[Any]) -> bytes:
    """An answer; `members` has a value for each entry."""
    data = [{"object": "embedding", "embedding": each} for each in embeddings]
    for name, values in members.items():
        for entry, value in zip(data, values, strict=True):
            entry[name] = value
    return json.dumps({"object": "list", "data": data}).encode()


def in_base64(*values: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def test_vectors_are_brought_to_length_one() -> None:
    vectors = parse_vectors(body([3, 4], [0, -0.5]), 2)
    assert vectors.dtype == np.float32
    assert vectors == pytest.approx(np.array([[0.6, 0.8], [0, -1]]))


def test_base64_is_little_endian_floats() -> None:
    vectors = parse_vectors(body(in_base64(3, 4), [1, 0]), 2)
    assert vectors == pytest.approx(np.array([[0.6, 0.8], [1, 0]]))


def test_the_index_says_which_text_it_is() -> None:
    vectors = parse_vectors(body([1, 0], [0, 1], [-1, 0], index=[2, 0, 1]), 3)
    assert vectors.tolist() == [[0, 1], [-1, 0], [1, 0]]


def test_a_vector_of_zeros_stays() -> None:
    assert parse_vectors(body([0, 0]), 1).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b'{"data": [{"embed',
        b"\xff",
        b"[" * 100_000,
        b"[]",
        b"null",
        b"{}",
        b'{"data": null}',
        b'{"data": {}}',
        b'{"data": [1, 2]}',
        b'{"data": [{}, {}]}',
        body([1, 0]),
        body([1, 0], [1, 0], [1, 0]),
        body([1, 0], [1, 0, 0]),
        body([], []),
        body([[1, 0]], [[0, 1]]),
        body([1, "x"], [0, 1]),
        body([1, None], [0, 1]),
        body({"0": 1}, [0, 1]),
        body([1, 0], None),
        body(1, 2),
        body([NAN, 0], [0, 1]),
        body([INFINITY, 0], [0, 1]),
        body([1e300, 0], [0, 1]),
        body([10**400, 0], [0, 1]),
        body(in_base64(NAN, 0), [0, 1]),
        body("AAA", [0, 1]),
        body("AAAAAAA=", [0, 1]),
        body("%%%%", [0, 1]),
        body("", ""),
        body([1, 0], [0, 1], index=[0, 0]),
        body([1, 0], [0, 1], index=[1, 2]),
        body([1, 0], [0, 1], index=["0", "1"]),
        body([1, 0], [0, 1], index=[0, None]),
    ],
)
def test_anything_else_is_a_failure_that_quotes_nothing(answer: bytes) -> None:
    with pytest.raises(OrchestratorFailed) as caught:
        parse_vectors(answer, 2)
    assert caught.value.message.startswith("the embeddings ")
    assert "html" not in caught.value.message
