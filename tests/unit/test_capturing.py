from __future__ import annotations

import json

from extproc.apis.api import decode
from extproc.capturing import Captured, capture
from extproc.config.model.root import Limits
from extproc.conversation import Api, Conversation
from extproc.recording import Outcome, Record

Messages = list[tuple[str, str]]


def conversation(messages: Messages) -> Conversation:
    body = {"messages": [{"role": role, "content": text} for role, text in messages]}
    return decode(Api.CHAT, json.dumps(body).encode(), Limits())


def test_what_was_said_is_kept_in_order() -> None:
    said = [("system", "be kind"), ("user", "hi"), ("assistant", "hello"), ("user", "weather?")]
    assert capture(conversation(said)) == tuple(said)


def test_what_has_no_text_or_is_a_tools_is_not() -> None:
    said = [("user", "hi"), ("tool", "secret result"), ("assistant", " "), ("user", "go on")]
    assert capture(conversation(said)) == (("user", "hi"), ("user", "go on"))


def test_the_newest_are_kept_within_limits() -> None:
    many = [("user", str(number)) for number in range(100)]
    assert capture(conversation(many)) == tuple(many[-16:])
    long = [("user", "old"), ("user", "x" * 8000), ("user", "y" * 300)]
    assert [len(text) for _, text in capture(conversation(long))] == [7892, 300]
    assert len(capture(conversation([("user", "x" * 100_000)]))[0][1]) == 8192


def test_it_is_not_shown_by_chance() -> None:
    assert "prompt" not in repr(
        Record("r", "l", Outcome.ROUTED, captured=Captured([("user", "prompt")]))
    )
