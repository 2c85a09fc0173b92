from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.apis.sse import EventSplitter
from extproc.filters.api import FilterError
from extproc.filters.builtin.personal import masking
from extproc.filters.builtin.personal.detector import Detector
from extproc.filters.builtin.personal.masking import Masker
from extproc.filters.builtin.personal.spans import Kind

DETECTOR = Detector(Kind)
MASK = "[{type}]"

Piece = tuple[int, str]
"""Which text, and what is added to it."""


def event(data: Any, name: str | None = None) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def chat(number: int, text: str) -> bytes:
    """Texts of two choices: the answer of each, and arguments of tools."""
    choice, other = number % 2, number // 2
    function = {"tool_calls": [{"index": other, "function": {"arguments": text}}]}
    delta = function if other else {"content": text}
    return event({"choices": [{"index": choice, "delta": delta, "finish_reason": None}]})


def messages(number: int, text: str) -> bytes:
    kind = ("text", "partial_json", "thinking", "text")[number]
    delta = {"type": f"{kind}_delta", kind: text}
    data = {"type": "content_block_delta", "index": number, "delta": delta}
    return event(data, "content_block_delta")


def responses(number: int, text: str) -> bytes:
    kind = ("output_text", "refusal", "function_call_arguments", "reasoning_text")[number]
    name = f"response.{kind}.delta"
    item = {"item_id": f"i{number // 2}", "output_index": number // 2, "content_index": 0}
    return event({"type": name, **item, "delta": text}, name)


WRITERS: dict[str, Callable[[int, str], bytes]] = {
    "chat": chat,
    "messages": messages,
    "responses": responses,
}
PING = b": ping\n\n"


def read(stream: bytes) -> dict[str, str]:
    """The running texts of a stream, as a client puts them together."""
    out: dict[str, str] = {}
    for each in EventSplitter(len(stream)).feed(stream):
        if each.data is None:
            continue
        data = json.loads(each.data)
        if choices := data.get("choices"):
            delta = choices[0]["delta"]
            call = delta.get("tool_calls", [{"index": 0, "function": {"arguments": ""}}])[0]
            key = f"{choices[0]['index'] + 2 * call['index']}"
            text = delta.get("content", "") + call["function"]["arguments"]
        elif isinstance(data["delta"], dict):
            key, text = (
                str(data["index"]),
                next(data["delta"][k] for k in data["delta"] if k != "type"),
            )
        else:
            kinds = ["output_text", "refusal", "function_call_arguments", "reasoning_text"]
            key, text = str(kinds.index(data["type"].split(".")[1])), data["delta"]
        out[key] = out.get(key, "") + text
    return out


SECRETS = [
    *("john.smith@example.com", "+44 20 7946 0018", "4111 1111 1111 1111", "a@b.co"),
    *("DE89 3704 0044 0532 0130 00", "AKIAIOSFODNN7EXAMPLE", "sk-proj-aB3dEfGh1jKlMnOpQrStUv"),
    "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq2\n-----END PRIVATE KEY-----",
]
WORDS = st.sampled_from(
    [" ", ", ", "\n", "at", "the hotel ", "2024-01-15", "é", "@", "1", "x" * 70]
)
TEXT = st.lists(WORDS | st.sampled_from(SECRETS), max_size=12).map("".join)


@st.composite
def streams(draw: st.DrawFn, most: int = 4) -> list[Piece]:
    """Pieces of some texts, each cut anywhere, in any order."""
    pieces: list[Piece] = []
    left = [draw(TEXT) for _ in range(draw(st.integers(1, most)))]
    while any(left):
        number = draw(st.sampled_from([place for place, text in enumerate(left) if text]))
        length = draw(st.integers(1, 30))
        pieces.append((number, left[number][:length]))
        left[number] = left[number][length:]
    return pieces


def joined(pieces: Iterable[Piece]) -> dict[str, str]:
    out: dict[str, str] = {}
    for number, text in pieces:
        out[str(number)] = out.get(str(number), "") + text
    return out


@pytest.mark.parametrize("api", WRITERS)
@given(pieces=streams())
def test_what_goes_on_is_always_a_beginning_of_the_masked_texts(
    api: str, pieces: list[Piece]
) -> None:
    whole = {key: DETECTOR.mask(text, MASK)[0] for key, text in joined(pieces).items()}
    masker = Masker(DETECTOR, MASK)
    out = b""
    # Texts of one choice or item end each other at some time, which has tests of its own.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masking, "PATIENCE", 10**6)
        for number, text in pieces:
            out += masker.feed(WRITERS[api](number, text)) + masker.feed(PING)
            assert all(whole[key].startswith(text) for key, text in read(out).items())
        out += masker.close()
    assert read(out) == whole
    assert out.count(b"\n\n") == 2 * len(pieces)
    assert out.count(PING) == len(pieces)


@pytest.mark.parametrize("api", WRITERS)
@given(pieces=streams(1))
def test_a_stream_without_a_match_stays_byte_for_byte(api: str, pieces: list[Piece]) -> None:
    events = [
        WRITERS[api](number, text.replace("@", "").replace("1", "")) for number, text in pieces
    ]
    found = {key: DETECTOR.mask(text, "")[1] for key, text in read(b"".join(events)).items()}
    masker = Masker(DETECTOR, MASK)
    out = b"".join(map(masker.feed, events)) + masker.close()
    assert any(found.values()) or out == b"".join(events)


def feed(*events: bytes, holds: bool = True) -> list[bytes]:
    """What goes on with each event."""
    masker = Masker(DETECTOR, "*", holds=holds)
    return [masker.feed(each) for each in events]


def test_events_wait_only_while_something_may_come() -> None:
    events = [
        messages(0, text) for text in ("Hello, ", "write to ", "john@exam", "ple.com", ", bye. ")
    ]
    assert feed(*events) == [
        *(events[0], events[1], b"", b""),
        messages(0, "*") + messages(0, "") + events[4],
    ]


@pytest.mark.parametrize(
    ("piece", "end"),
    [
        (
            chat(0, "a@b.com"),
            event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
        ),
        (chat(0, "a@b.com"), b"data: [DONE]\n\n"),
        (chat(0, "a@b.com"), event({"error": {"message": "broken"}})),
        (messages(0, "a@b.com"), event({"type": "content_block_stop", "index": 0})),
        (messages(0, "a@b.com"), event({"type": "message_stop"})),
        (
            responses(0, "a@b.com"),
            event({"type": "response.output_text.done", "output_index": 0, "text": "said"}),
        ),
        (
            responses(0, "a@b.com"),
            event({"type": "response.output_item.done", "output_index": 0, "item": {}}),
        ),
        (responses(0, "a@b.com"), event({"type": "response.completed", "response": {}})),
    ],
)
def test_the_end_of_a_text_lets_it_go(piece: bytes, end: bytes) -> None:
    assert feed(piece, end) == [b"", piece.replace(b"a@b.com", b"*") + end]


def test_texts_that_are_whole_are_masked_by_themselves() -> None:
    done = {"type": "response.output_text.done", "output_index": 0, "text": "a@b.com"}
    final = {"type": "response.completed", "response": {"output": [{"text": "to a@b.com"}]}}
    error = {"type": "error", "error": {"message": "no such user a@b.com"}}
    for data in (done, final, error):
        whole = event(data)
        assert feed(whole) == [whole.replace(b"a@b.com", b"*")]


def test_a_block_s_text_may_start_before_its_deltas() -> None:
    block = {"type": "text", "text": "a@b"}
    start = event({"type": "content_block_start", "index": 0, "content_block": block})
    assert feed(start, messages(0, ".com ")) == [
        b"",
        start.replace(b"a@b", b"*") + messages(0, " "),
    ]


def test_data_that_are_no_object_are_one_text() -> None:
    assert feed(b"event: x\ndata: to a@b.com\ndata: now\n\n") == [
        b"event: x\ndata: to *\ndata: now\n\n"
    ]
    assert feed(b'data: ["a@b.com"]\n\n: c@d.com\n\n') == [b'data: ["*"]\n\n: c@d.com\n\n']
    with pytest.raises(FilterError, match="UTF-8"):
        feed(b"data: \xff\n\n")


def test_an_answer_does_not_wait_for_more_of_its_reasoning() -> None:
    reasoning = event({"choices": [{"index": 0, "delta": {"reasoning_content": "the answer"}}]})
    answers = [chat(0, "twenty chars of it, ") for _ in range(masking.PATIENCE // 20 + 1)]
    out = feed(reasoning, *answers)
    assert out[:-1] == [b""] * len(answers)
    assert out[-1] == reasoning + b"".join(answers)


def test_reasoning_that_goes_on_in_the_middle_of_a_secret_is_a_failure() -> None:
    def reasoning(text: str) -> bytes:
        return event({"choices": [{"index": 0, "delta": {"reasoning_content": text}}]})

    answer = chat(0, "long enough. " * 30)
    assert feed(reasoning("john@exam"), answer, reasoning(", or. "))[-1] == reasoning(", or. ")
    with pytest.raises(FilterError, match="in the middle"):
        feed(reasoning("john@exam"), answer, reasoning("ple.com "))


def test_a_piece_of_nothing_is_no_sign_of_life() -> None:
    def both(reasoning: str, text: str) -> bytes:
        delta = {"reasoning_content": reasoning, "content": text}
        return event({"choices": [{"index": 0, "delta": delta}]})

    events = [both("so", ""), both("", "long enough. " * 30)]
    assert feed(*events) == [b"", b"".join(events)]


def test_log_probabilities_of_what_is_masked_are_left_out() -> None:
    logprobs = {"content": [{"token": "a@b.com ", "bytes": [97]}]}
    choice = {"index": 0, "delta": {"content": "a@b.com "}, "logprobs": logprobs}
    masked = {"index": 0, "delta": {"content": "* "}, "logprobs": None}
    assert feed(event({"choices": [choice]})) == [event({"choices": [masked]})]


def test_without_holding_all_goes_on_and_is_counted() -> None:
    events = [chat(0, "a@b"), chat(0, ".com, "), chat(0, "c@d.com")]
    masker = Masker(DETECTOR, "*", holds=False)
    assert [masker.feed(each) for each in events] == events
    assert masker.counts == {Kind.EMAIL: 1}
    assert masker.close() == b""
    assert masker.counts == {Kind.EMAIL: 2}


def test_too_many_texts_are_a_failure() -> None:
    with pytest.raises(FilterError, match="more than 256 texts"):
        feed(*(messages(0, "a").replace(b"0", b"%d" % index) for index in range(257)))
    feed(
        *(
            messages(0, "a").replace(b"0", b"%d" % index)
            + event({"type": "content_block_stop", "index": index})
            for index in range(300)
        )
    )


def test_too_many_waiting_bytes_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "MOST_HELD", 2000)
    assert feed(chat(0, "a@b.com"), chat(1, "no end. " * 50))[-1] == b""
    with pytest.raises(FilterError, match="2000 bytes"):
        feed(chat(0, "a@b.com"), *(chat(1, "no end. " * 50) for _ in range(9)))


def test_after_a_failure_what_was_held_is_there_without_what_failed() -> None:
    masker = Masker(DETECTOR, "*")
    held = [chat(1, "to a@b.com"), chat(0, "key sk-aB1")]
    assert [masker.feed(each) for each in held] == [b"", b""]
    with pytest.raises(FilterError):
        masker.feed(chat(1, ", ") + chat(0, "aB1" * 6000))
    assert masker.close().startswith(chat(1, "to *"))
    assert masker.close() == b""


def test_a_failure_at_the_end_of_a_text_leaves_no_event_behind() -> None:
    reasoning = [
        event({"choices": [{"index": 0, "delta": {"reasoning_content": text}}]})
        for text in ("john@exam", "ple.com")
    ]
    masker = Masker(DETECTOR, "*")
    for each in (reasoning[0], chat(0, "long enough. " * 30), reasoning[1]):
        masker.feed(each)
    with pytest.raises(FilterError):
        masker.feed(b"data: [DONE]\n\n")
    assert masker.close().count(b"\n\n") == 1


def test_a_failure_for_too_many_bytes_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "MOST_HELD", 200)
    masker = Masker(DETECTOR, "*")
    masker.feed(chat(0, "a@b.com"))
    with pytest.raises(FilterError):
        masker.feed(chat(1, "no end. " * 50))
    assert masker.close() == chat(0, "*")


def test_thousands_of_deltas_and_a_long_one() -> None:
    masker = Masker(DETECTOR, "*")
    out = b"".join(masker.feed(chat(0, text)) for text in ["a", "@", "b", ".com", " "] * 2000)
    assert out.count(b"*") == 2000
    out = masker.feed(chat(0, "1" * 500_000 + " ")) + masker.feed(chat(0, "."))
    assert len(out) > 500_000
