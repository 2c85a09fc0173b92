from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.filters.api import FilterError
from extproc.filters.builtin.personal.detector import Detector
from extproc.filters.builtin.personal.spans import Kind
from extproc.filters.builtin.personal.whole import mask_json, mask_text

DETECTOR = Detector(Kind)


def test_a_json_body_changes_in_its_texts_only() -> None:
    body = (
        b'{ "model":"a@b.com", "n":1.0, "messages":[{"role":"user","content":'
        b'[{"type":"text", "text":"\\u0061@b.com \\ud83d\\ude00"}]}], "x":{"y":"+44 20 7946 0018"}}'
    )
    masked, counts = mask_json(body, DETECTOR, "[{type}]", is_answer=False)
    assert masked == body.replace(b"\\u0061@b.com", b"[email]").replace(
        b"+44 20 7946 0018", b"[phone]"
    )
    assert counts == {Kind.EMAIL: 1, Kind.PHONE: 1}


def test_a_body_with_nothing_in_it_is_the_same() -> None:
    body = b'{"messages": [{"content": "\\u0061t \\"home\\""}]}'
    assert mask_json(body, DETECTOR, "*", is_answer=True) == (body, {})
    assert mask_text(b"at home", DETECTOR, "*") == (b"at home", {})


def test_the_log_probabilities_of_a_masked_answer_are_left_out() -> None:
    tokens = [{"token": "a@b", "bytes": [97, 64, 98]}, {"token": ".com", "bytes": None}]
    choice = {"message": {"content": "a@b.com"}, "logprobs": {"content": tokens}}
    body = json.dumps({"choices": [choice]}).encode()
    masked, _ = mask_json(body, DETECTOR, "*", is_answer=True)
    assert json.loads(masked) == {"choices": [{"message": {"content": "*"}, "logprobs": None}]}


def test_a_request_keeps_what_has_their_name() -> None:
    properties = {"logprobs": {"type": "boolean"}}
    body = json.dumps({"messages": [{"content": "a@b.com"}], "properties": properties}).encode()
    masked, _ = mask_json(body, DETECTOR, "*", is_answer=False)
    assert json.loads(masked)["properties"] == properties


KEY = "sk-proj-abcDEF1234567890abcdefGHIJKL"


@given(
    st.lists(
        st.sampled_from(
            ("a@b.com", KEY, "+44 20 7946 0018", "4111 1111 1111 1111", "hello", "é", '"', "\\")
        ),
        max_size=5,
    ),
    st.sampled_from(("\n", "\t", "\r\n", " ", "\n\n")),
)
def test_json_within_a_string_is_masked_as_what_it_says(texts: list[str], gap: str) -> None:
    """Such as the arguments of a tool: line breaks are two letters there."""
    said = gap.join(("start", *texts, "end"))
    body = json.dumps({"arguments": json.dumps({"q": said})}).encode()
    masked, _ = mask_json(body, DETECTOR, "[{type}]", is_answer=False)
    inner = json.loads(json.loads(masked)["arguments"])
    assert inner["q"] == DETECTOR.mask(said, "[{type}]")[0]


def test_text_must_be_utf_8() -> None:
    assert mask_text("é a@b.com".encode(), DETECTOR, "*")[0] == "é *".encode()
    with pytest.raises(FilterError, match="UTF-8"):
        mask_text(b"\xff a@b.com", DETECTOR, "*")
