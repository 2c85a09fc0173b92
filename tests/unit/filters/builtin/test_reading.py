from __future__ import annotations

import threading

import pytest

from extproc.conversation import Api
from extproc.filters.api import KEEP, FilterError, Phase, Subject, Verdict
from extproc.filters.builtin.reading import judge, last_said, read


def subject(body: bytes) -> Subject:
    return Subject(Phase.INPUT, Api.CHAT, body)


def test_the_last_user_message_is_what_was_said_last() -> None:
    body = (
        b'{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"},'
        b'{"role":"assistant","content":"c"},{"role":"tool","content":"d"}]}'
    )
    assert last_said(read(subject(body))) == "b"


def test_where_no_user_speaks_nothing_was_said() -> None:
    assert last_said(read(subject(b'{"messages":[{"role":"system","content":"a"}]}'))) == ""


def test_what_is_no_conversation_cannot_be_read_and_is_not_quoted() -> None:
    with pytest.raises(FilterError, match=r"^the request cannot be read: messages is missing$"):
        read(subject(b'{"secret":1}'))


def test_more_is_read_than_a_file_allows_by_default() -> None:
    deep = b"[" * 400 + b"]" * 400
    entries = b",".join([b'{"role":"user"}'] * 3000)
    assert len(read(subject(b'{"x":%s,"messages":[%s]}' % (deep, entries))).messages) == 3000


@pytest.mark.parametrize(("size", "at_once"), [(64 * 1024, True), (64 * 1024 + 1, False)])
async def test_only_a_large_body_is_judged_in_a_thread(size: int, at_once: bool) -> None:
    threads: list[int] = []

    def by(_subject: Subject) -> Verdict:
        threads.append(threading.get_ident())
        return KEEP

    assert await judge(subject(b" " * size), by, weight=4) is KEEP
    assert (threads == [threading.get_ident()]) is at_once
