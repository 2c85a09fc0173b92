from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.apis.answers import UnreadableAnswer
from extproc.apis.api import (
    CODECS,
    DecodeLimits,
    decode,
    insert_answers,
    read_answer,
    step_body,
)
from extproc.apis.edits import AgentAnswer
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


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"messages":[{"role":"user"}],"stream" : true }', b'"stream" : false }'),
        (b'{"messages":[{"role":"user"}],"stream":null}', b'"stream":false}'),
        (b'{"stream":false, "messages" : [{"role":"user"}] }', b'"messages" : [{"role":"user"}] }'),
        (b'{"n":1.0,"messages":[{"role":"user"}]}', b'[{"role":"user"}],"stream":false}'),
        (b'{"stream_options":{}, "messages":[{"role":"user"}],"stream":true}', b'"stream":false}'),
    ],
)
def test_a_step_does_not_stream(body: bytes, expected: bytes, limits: DecodeLimits) -> None:
    conversation = decode(Api.CHAT, body, limits)
    step = step_body(conversation)
    assert step.get("stream") is False
    assert "stream_options" not in step.places
    assert step.body.endswith(expected)
    assert decode(Api.CHAT, step.body, limits).messages == conversation.messages


TEXTS = st.text(max_size=5) | st.sampled_from(["\ud800", '"\\', " ", "🌞"])
PARTS = st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}), max_size=2)
CONTENTS = st.none() | TEXTS | PARTS
ENTRIES = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": CONTENTS},
    optional={"unknown": st.floats(allow_nan=False, allow_infinity=False)},
)
ANSWERS = st.lists(st.builds(AgentAnswer, st.sampled_from(["a", "b-2"]), TEXTS), max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    api = draw(st.sampled_from(Api))
    entries = draw(st.lists(ENTRIES, min_size=1, max_size=4))
    members: dict[str, Any] = {"messages": entries, "n": 1.0}
    if api is Api.RESPONSES:
        members = {"input": draw(TEXTS) or entries, "instructions": draw(TEXTS)}
    if api is Api.MESSAGES:
        members["system"] = draw(TEXTS | PARTS)
    body = json.dumps(
        members,
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([None, (" ,\n", " : ")])),
    )
    return decode(api, body.encode(errors="replace"), Limits())


WHERE = st.sampled_from(["assistant", "system"])


@given(conversations(), ANSWERS, WHERE)
def test_what_was_inserted_into_is_a_conversation_of_the_same_turn(
    conversation: Conversation, said: list[AgentAnswer], where: Literal["assistant", "system"]
) -> None:
    inserted = insert_answers(conversation, said, where)
    assert decode(conversation.api, inserted.document.body, Limits()) == inserted
    assert (inserted.turn is None) == (conversation.turn is None)
    if conversation.turn is not None and inserted.turn is not None:
        turn = conversation.messages[conversation.turn :]
        assert inserted.messages[inserted.turn :] == turn or where == "system"
        assert inserted.messages[inserted.turn] == turn[0]
    one_by_one = conversation
    for answer in said:
        one_by_one = insert_answers(one_by_one, [answer], where)
    assert one_by_one == inserted


@given(conversations(), ANSWERS, WHERE)
def test_every_other_byte_survives_an_insertion(
    conversation: Conversation, said: list[AgentAnswer], where: Literal["assistant", "system"]
) -> None:
    before = conversation.document.body
    after = insert_answers(conversation, said, where).document.body
    if not isinstance(conversation.document.get("input"), str):
        assert any(
            after.startswith(before[:at]) and after.endswith(before[at:])
            for at in range(len(before) + 1)
        )
    if not any(answer.text.strip() for answer in said):
        assert after == before


def test_without_a_user_s_message_answers_stand_at_the_end(
    decode_json: Callable[..., Conversation],
) -> None:
    conversation = decode_json(Api.CHAT, messages=[{"role": "system", "content": "x"}])
    inserted = insert_answers(conversation, [AgentAnswer("a", "A"), AgentAnswer("b", " \n")])
    assert [message.role for message in inserted.messages] == ["system", "assistant"]


def test_the_documented_conversation(limits: DecodeLimits) -> None:
    page = (Path(__file__).parents[3] / "docs/plans.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    *answers, user = json.loads(shown[0])["messages"]
    conversation = decode(Api.CHAT, json.dumps({"messages": [user]}).encode(), limits)
    said = [AgentAnswer(answer["name"], answer["content"]) for answer in answers]
    assert insert_answers(conversation, said).document.get("messages") == [*answers, user]
    told = insert_answers(conversation, said[:1], "system").messages[0].text
    assert f"`{told.splitlines()[0]}`" in page


def test_a_paragraph_names_its_agent(decode_json: Callable[..., Conversation]) -> None:
    said = [AgentAnswer("a", "A"), AgentAnswer("b", "B")]
    told = insert_answers(decode_json(Api.RESPONSES, input="hi"), said, "system")
    assert told.document.get("instructions") == (
        "The agent a has already answered the user's last message:\nA\n\n"
        "The agent b has already answered the user's last message:\nB"
    )


@given(data=st.data(), api=st.sampled_from(Api))
def test_both_forms_of_an_answer_read_the_same(
    data: st.DataObject, api: Api, travel: ModuleType
) -> None:
    text = data.draw(st.text(st.characters(exclude_categories=["Cs"])).map(str.strip))
    forms = next(each for each in travel.APIS if each.path == api)
    reply = travel.Reply("a", text, 1)
    whole = json.dumps(forms.whole(reply)).encode()
    stream = b"".join(travel._frame(event) for event in forms.events(reply))
    assert read_answer(api, whole) == text
    assert read_answer(api, stream + forms.end_of_stream) == text
    for other in set(Api) - {api}:
        for body in (whole, stream + forms.end_of_stream):
            with pytest.raises(UnreadableAnswer):
                read_answer(other, body)


@given(data=st.data(), api=st.sampled_from(Api))
def test_a_stream_that_is_cut_is_unreadable(
    data: st.DataObject, api: Api, travel: ModuleType
) -> None:
    forms = next(each for each in travel.APIS if each.path == api)
    events = list(forms.events(travel.Reply("a", "one two", 1)))
    stream = b"".join(map(travel._frame, events))
    cut = data.draw(st.integers(0, len(stream) - 3))
    with pytest.raises(UnreadableAnswer):
        read_answer(api, stream[:cut])


ANSWER_PIECES = [
    *(
        b"data: ",
        b"event: error\n",
        b"\n",
        b"\n\n",
        b"\r",
        b"[DONE]",
        b":",
        b"\xff",
        b"\xef\xbb\xbf",
    ),
    *(b'{"choices":[', b'{"delta":', b'{"message":', b'{"content":', b'"finish_reason":"stop"'),
    *(b'{"type":"message_stop"}', b'{"type":"content_block_delta","delta":', b'{"output":['),
    *(b'{"type":"response.completed","response":', b'{"type":"text","text":', b'"x"', b"null"),
    *(b"{", b"}", b"[", b"]", b",", b"5", b"{}", b"[]", b'"error":'),
]


@given(
    st.sampled_from(Api),
    st.binary(max_size=40) | st.lists(st.sampled_from(ANSWER_PIECES), max_size=16).map(b"".join),
)
def test_nothing_but_unreadable_leaves(api: Api, body: bytes) -> None:
    with suppress(UnreadableAnswer):
        assert isinstance(read_answer(api, body), str)
