from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.apis.api import CODECS, DecodeLimits, decode
from extproc.config.model.root import Limits
from extproc.conversation import Api, Conversation
from extproc.errors import InvalidRequest

USER = {"role": "user", "content": "hi"}

PIECES = [
    *(b'{"messages":', b'{"input":', b'"model":', b'"stream":', b'"role":', b'"content":'),
    *(b'"type":', b'"text":', b'"user"', b'"tool_result"', b'"message"', b'"', b"\xc3\xa9"),
    *(b"[", b"]", b"{", b"}", b",", b":", b"1", b"null", b"true", b'{"role":"user"}'),
]


def test_every_path_has_its_codec() -> None:
    assert set(CODECS) == set(Api)


@pytest.mark.parametrize("path", CODECS)
def test_what_all_apis_share(path: str, decode_json: Callable[..., Conversation]) -> None:
    member = "input" if path == Api.RESPONSES else "messages"
    plain = decode_json(path, **{member: [USER]})
    assert (plain.api, plain.model, plain.stream) == (path, None, False)
    full = decode_json(path, model="m", stream=True, unknown={"x": [1]}, **{member: [USER]})
    assert (full.model, full.stream) == ("m", True)
    assert [(message.role, message.text) for message in full.messages] == [("user", "hi")]
    null = decode_json(path, model=None, stream=None, **{member: [USER]})
    assert (null.model, null.stream) == (None, False)


def test_the_document_keeps_the_bytes(limits: DecodeLimits) -> None:
    body = b' {"messages" :[{"role":"user","content":"\\u00e9"} ],"n": 1.0}\n'
    assert decode(Api.CHAT, body, limits).document.body == body


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"messages": [USER], "model": 5}, "model must be text"),
        ({"messages": [USER], "stream": "yes"}, "stream must be true or false"),
        ({"messages": [USER], "x": [[[[[[[[[[1]]]]]]]]]]}, "nested deeper than 10 levels"),
        ({"messages": [USER] * 5}, "messages has more than 4 entries"),
    ],
)
def test_refusals(
    members: dict[str, Any], message: str, decode_json: Callable[..., Conversation]
) -> None:
    with pytest.raises(InvalidRequest, match=f"{message}$"):
        decode_json(Api.CHAT, **members)


def test_what_is_not_json_is_refused_without_quoting_it(limits: DecodeLimits) -> None:
    with pytest.raises(InvalidRequest) as raised:
        decode(Api.CHAT, b'{"secret": secret}', limits)
    expected = "the body is not valid JSON: expecting value at byte 11"
    assert raised.value.message == expected
    assert raised.value.__suppress_context__


@given(
    st.sampled_from(list(CODECS)),
    st.binary(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=16).map(b"".join),
)
def test_nothing_but_invalid_request_leaves(path: str, body: bytes) -> None:
    with suppress(InvalidRequest):
        assert decode(path, body, Limits()).messages
