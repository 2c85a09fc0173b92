from __future__ import annotations

import json

import pytest

from extproc.filters.api import Phase
from extproc.filters.replies import LONGEST, refusal_text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error": {"message": "m"}, "detail": "d"}', "m"),
        (b'{"error": "e", "message": "m"}', "e"),
        (b'{"detail": "d", "message": "m"}', "d"),
        (b'{"detail": [{"loc": 1}], "message": "m"}', "m"),
        (b'{"other": 1}', '{"other": 1}'),
        (b" plain \n", "plain"),
        (b"", "the filter refused the request"),
        (b"\xff", "\ufffd"),
        (b"[" * 100_000, "[" * LONGEST),
    ],
)
def test_the_message_of_a_refusal(body: bytes, text: str) -> None:
    assert refusal_text(body, Phase.INPUT) == text


def test_a_long_message_is_cut_between_characters() -> None:
    text = refusal_text(json.dumps({"message": "x" + "é" * LONGEST}).encode(), Phase.INPUT)
    assert len(text.encode()) == LONGEST - 1
    assert set(text[1:]) == {"é"}


def test_half_a_character_is_no_reason_to_fail() -> None:
    assert refusal_text(b'{"message": "\\ud800!"}', Phase.INPUT) == "?!"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"detail": "not that"}', "not that"),
        (b'{"detail": [{"input": "my secret answer"}]}', "the filter refused the answer"),
        (b"my secret answer", "the filter refused the answer"),
    ],
)
def test_a_refusal_of_an_answer_never_quotes_it(body: bytes, text: str) -> None:
    assert refusal_text(body, Phase.OUTPUT) == text
