from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from typing import ClassVar

import pytest

from extproc.apis.sse import Event, EventSplitter
from extproc.errors import FilterDenied, FilterFailed
from extproc.filters.api import KEEP, Change, Deny, FilterError, Phase, Subject, Verdict
from extproc.filters.chain import Chain, Link, Setting
from extproc.filters.stream import StreamRun
from extproc.plan import FilterRecord
from extproc.spans import NoTracer

MakeSetting = Callable[..., Setting]
Judge = Callable[[bytes], Verdict]


class Judges:
    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.asked: list[bytes] = []

    async def apply(self, subject: Subject, /) -> Verdict:
        self.asked.append(subject.body)
        return self.judge(subject.body)


class HoldsOne:
    """Holds each event until the next one comes; fails at one that says so."""

    async def apply(self, _subject: Subject, /) -> Verdict:
        return KEEP

    def open_stream(self) -> HoldsOne.Editor:
        return self.Editor()

    class Editor:
        threads: ClassVar[list[int]] = []

        def __init__(self) -> None:
            self.held = b""
            self.failed = False

        def feed(self, subject: Subject, /) -> Verdict:
            self.threads.append(threading.get_ident())
            if b"fail" in subject.body:
                raise FilterError("it fails")
            out, self.held = self.held, subject.body
            return Change(out)

        def close(self) -> Verdict:
            out, self.held = self.held, b""
            if b"end" in out and not self.failed:
                self.failed, self.held = True, out
                raise FilterError("it fails at the end")
            return Change(out) if out else KEEP


def upper(body: bytes) -> Verdict:
    return Change(body.replace(b" a", b" A"))


def link(what: Judges | HoldsOne, **changes: object) -> Link:
    return Link("f", what, 5.0, **changes)  # type: ignore[arg-type] # the fields of a test


def events(*datas: str, limit: int = 1000) -> list[Event]:
    return EventSplitter(limit).feed("".join(f"data: {data}\n\n" for data in datas).encode())


async def joined(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def fed(run: StreamRun, given: list[Event]) -> bytes:
    return await joined(run.feed(given))


def stream(setting: Setting, *links: Link) -> StreamRun:
    return StreamRun(Chain(links, NoTracer()), setting)


async def test_each_event_passes_each_filter(
    make_setting: MakeSetting, records: list[FilterRecord]
) -> None:
    first, second = Judges(upper), Judges(lambda _: KEEP)
    with stream(make_setting(phase=Phase.OUTPUT), link(first), link(second)) as run:
        assert await fed(run, events("a", "b")) == b"data: A\n\ndata: b\n\n"
    assert len(second.asked) == 2
    assert [(each.label, each.calls) for each in records] == [("passed", 2), ("changed", 2)]


async def test_an_event_may_become_none_or_several(make_setting: MakeSetting) -> None:
    several = Judges(lambda body: Change(body * 2 if b"two" in body else b""))
    with stream(make_setting(), link(several)) as run:
        assert await fed(run, events("one", "two")) == b"data: two\n\n" * 2


async def test_done_is_not_for_filters_and_ends_the_stream(make_setting: MakeSetting) -> None:
    judge = Judges(lambda _: KEEP)
    with stream(make_setting(), link(judge), link(HoldsOne())) as run:
        out = await fed(run, events("one", "[DONE]", "late"))
        assert out == b"data: one\n\ndata: [DONE]\n\n"
        assert await joined(run.close()) == b""
    assert judge.asked == [b"data: one\n\n"]


async def test_a_comment_only_keeps_the_connection_alive(make_setting: MakeSetting) -> None:
    judge = Judges(lambda _: Deny("no"))
    with stream(make_setting(), link(judge)) as run:
        assert await fed(run, [Event(b": my secret\n\n")]) == b":\n\n"


async def test_a_whole_stream_comes_at_once(make_setting: MakeSetting) -> None:
    judge = Judges(lambda body: Change(body.replace(b"one", b"1")))
    with stream(make_setting(), link(judge, whole=True), link(HoldsOne())) as run:
        assert await fed(run, events("one", "two")) == b""
        assert await fed(run, events("[DONE]")) == b"data: 1\n\ndata: two\n\ndata: [DONE]\n\n"
    assert judge.asked == [b"data: one\n\ndata: two\n\n"]


async def test_what_is_held_back_comes_in_order(make_setting: MakeSetting) -> None:
    with stream(make_setting(), link(HoldsOne())) as run:
        assert await fed(run, events("one")) == b""
        assert await fed(run, events("two", "three")) == b"data: one\n\ndata: two\n\n"
        assert await joined(run.close()) == b"data: three\n\n"


async def test_a_failure_lets_go_what_is_held_only_where_it_is_skipped(
    make_setting: MakeSetting,
) -> None:
    with stream(make_setting(), link(HoldsOne(), skip_failed=True)) as run:
        assert await fed(run, events("one", "fail")) == b"data: one\n\ndata: fail\n\n"
        assert await fed(run, events("two")) == b"data: two\n\n"
    with stream(make_setting(), link(HoldsOne())) as run:
        await fed(run, events("one"))
        with pytest.raises(FilterFailed):
            await fed(run, events("fail"))


async def test_a_failure_at_the_end_loses_nothing_where_it_is_skipped(
    make_setting: MakeSetting,
) -> None:
    with stream(make_setting(), link(HoldsOne(), skip_failed=True)) as run:
        assert await fed(run, events("one", "end", "[DONE]")) == (
            b"data: one\n\ndata: end\n\ndata: [DONE]\n\n"
        )
    with stream(make_setting(), link(HoldsOne())) as run, pytest.raises(FilterFailed):
        await fed(run, events("one", "end", "[DONE]"))


async def test_a_large_event_does_not_hold_up_the_event_loop(make_setting: MakeSetting) -> None:
    with stream(make_setting(), link(HoldsOne())) as run:
        large = events("x" * 50_000, limit=100_000)
        assert await fed(run, large) == b""
        assert HoldsOne.Editor.threads[-1] != threading.get_ident()
        assert await joined(run.close()) == large[0].raw


async def test_a_refusal_and_nonsense_end_it(make_setting: MakeSetting) -> None:
    denies, errs = Judges(lambda _: Deny("no")), Judges(lambda _: Change(b"<html>"))
    with stream(make_setting(), link(denies)) as run, pytest.raises(FilterDenied):
        await fed(run, events("one"))
    with stream(make_setting(), link(errs)) as run, pytest.raises(FilterFailed):
        await fed(run, events("one"))


async def test_what_stands_before_a_refusal_still_goes_on(make_setting: MakeSetting) -> None:
    judge = Judges(lambda body: Deny("no") if b"two" in body else KEEP)
    with stream(make_setting(), link(judge)) as run:
        pieces = run.feed(events("one", "two", "three"))
        assert await anext(pieces) == b"data: one\n\n"
        with pytest.raises(FilterDenied):
            await anext(pieces)
