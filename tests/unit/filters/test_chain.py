from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from extproc.budget import Budget
from extproc.errors import FilterDenied, FilterFailed
from extproc.filters.api import (
    KEEP,
    Change,
    Deny,
    FilterError,
    Form,
    Keep,
    Subject,
    Verdict,
)
from extproc.filters.chain import Chain, Link, Outcome, Setting, Visit
from extproc.http import HeaderPairs
from extproc.plan import FilterOutcome, FilterRecord
from extproc.spans import NoTracer

SECRET = "my secret prompt"
MakeSetting = Callable[..., Setting]


class Scripted:
    """A filter that gives a verdict, raises, or hangs (None), and keeps what it was asked."""

    def __init__(self, answer: Verdict | Exception | None = KEEP) -> None:
        self.answer = answer
        self.asked: list[Subject] = []

    async def apply(self, subject: Subject, /) -> Verdict:
        self.asked.append(subject)
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        assert self.answer is not None
        return self.answer


def link(answer: Verdict | Exception | None = KEEP, **changes: Any) -> Link:
    values: dict[str, Any] = {"id": "f", "filter": Scripted(answer), "timeout": 5.0}
    return Link(**(values | changes))


def accept(body: bytes) -> bytes:
    if body == b"broken":
        raise FilterError("it gave back nonsense")
    return body


async def run(setting: Setting, *links: Link) -> Outcome[bytes]:
    return await Chain(links, NoTracer()).run(b"sent", setting, accept)


def asked(each: Link) -> list[bytes]:
    assert isinstance(each.filter, Scripted)
    return [subject.body for subject in each.filter.asked]


async def test_each_filter_gets_what_the_one_before_it_left(
    make_setting: MakeSetting, records: list[FilterRecord]
) -> None:
    links = (
        link(Keep(tags=(("kind", "x"),)), id="one"),
        link(Change(b"two's"), id="two"),
        link(KEEP, id="three"),
    )
    outcome = await run(make_setting(), *links)
    assert outcome == Outcome(b"two's", (("x-outerloop-tag-kind", "x"),))
    assert [asked(each) for each in links] == [[b"sent"], [b"sent"], [b"two's"]]
    assert [(each.filter, each.label, each.calls) for each in records] == [
        ("one", "tagged", 1),
        ("two", "changed", 1),
        ("three", "passed", 1),
    ]
    last = links[2].filter
    assert isinstance(last, Scripted)
    assert ("x-outerloop-tag-kind", "x") in last.asked[0].headers


async def test_a_filter_sees_only_the_headers_that_it_is_to_see(make_setting: MakeSetting) -> None:
    plain, named = link(), link(forwards=frozenset({"x-tenant"}))
    await run(make_setting(status=200), plain, named)

    def headers(each: Link) -> HeaderPairs:
        assert isinstance(each.filter, Scripted)
        return each.filter.asked[0].headers

    assert set(dict(headers(plain))) == {
        "x-request-id",
        "x-outerloop-listener",
        "x-outerloop-phase",
        "x-outerloop-status",
        "traceparent",
    }
    assert set(headers(named)) - set(headers(plain)) == {("x-tenant", "t")}


async def test_a_refusal_ends_the_chain(
    make_setting: MakeSetting, records: list[FilterRecord]
) -> None:
    after = link()
    with pytest.raises(FilterDenied) as denied:
        await run(make_setting(), link(Deny("no", 451, note="rule 7")), after)
    assert (denied.value.status, denied.value.message) == (451, "no")
    assert denied.value.details == {"filter": "f"}
    assert asked(after) == []
    assert [(each.label, each.note) for each in records] == [("denied", "rule 7")]


FAILURES: dict[str, tuple[Verdict | Exception, int]] = {
    "error": (FilterError("it answered 500"), 502),
    "late": (FilterError("too slow", timed_out=True), 504),
    "bug": (ZeroDivisionError(SECRET), 502),
    "no body": (Change(b"broken"), 502),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failure_ends_the_chain_unless_it_is_skipped(
    failure: str,
    make_setting: MakeSetting,
    records: list[FilterRecord],
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer, status = FAILURES[failure]
    after = link(Change(b"changed"))
    with caplog.at_level(logging.DEBUG), pytest.raises(FilterFailed) as failed:
        await run(make_setting(), link(answer), after)
    assert (failed.value.status, asked(after)) == (status, [])
    outcome = await run(make_setting(), link(answer, skip_failed=True), after)
    assert (outcome.changed, asked(after)) == (b"changed", [b"sent"])
    assert [each.label for each in records] == ["failed", "skipped", "changed"]
    assert SECRET not in caplog.text + str(records)


@pytest.mark.parametrize("link_", [link(shadow=True), link(skip_failed=True)])
async def test_what_is_no_verdict_is_a_failure(
    link_: Link, make_setting: MakeSetting, records: list[FilterRecord]
) -> None:
    scripted = link_.filter
    assert isinstance(scripted, Scripted)
    scripted.apply = _forgets  # type: ignore[method-assign] # as a plug-in without a return does
    assert await run(make_setting(), link_) == Outcome(None)
    assert records[0].outcome in {FilterOutcome.FAILED, FilterOutcome.SKIPPED}


async def _forgets(_subject: Subject, /) -> Any:
    return None


@pytest.mark.parametrize(
    ("answer", "calls"), [(FilterError("broken"), 3), (FilterError("slow", timed_out=True), 1)]
)
async def test_a_stream_does_not_wait_for_a_dead_filter_again_and_again(
    answer: FilterError, calls: int, make_setting: MakeSetting, records: list[FilterRecord]
) -> None:
    dead = link(answer, skip_failed=True)
    with Visit(dead, make_setting(), NoTracer()) as visit:
        for _ in range(9):
            assert await visit.ask(b"event", Form.EVENTS, accept) == (KEEP, None)
    assert len(asked(dead)) == calls
    assert (records[0].label, records[0].calls) == ("skipped", calls)


async def test_a_filter_has_its_own_deadline(make_setting: MakeSetting) -> None:
    with pytest.raises(FilterFailed) as failed:
        await run(make_setting(), link(None, timeout=0.01))
    assert failed.value.status == 504


async def test_the_budget_of_all_ends_a_filter_too(
    make_setting: MakeSetting, records: list[FilterRecord]
) -> None:
    budget = Budget(0.01)
    with pytest.raises(TimeoutError), budget:
        await run(make_setting(budget=budget), link(None))
    assert [each.label for each in records] == ["failed"]


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        (Deny("no"), "shadow_denied"),
        (Change(b"x"), "shadow_changed"),
        (Keep(tags=(("a", "b"),)), "shadow_tagged"),
        (FilterError("broken"), "shadow_failed"),
        (Change(b"broken"), "shadow_failed"),
    ],
)
async def test_in_shadow_nothing_comes_of_it(
    answer: Verdict | Exception,
    label: str,
    make_setting: MakeSetting,
    records: list[FilterRecord],
) -> None:
    after = link()
    outcome = await run(make_setting(), link(answer, shadow=True), after)
    assert outcome == Outcome(None)
    assert asked(after) == [b"sent"]
    assert records[0].label == label


async def test_a_shadow_leaves_time_for_what_counts(make_setting: MakeSetting) -> None:
    budget = Budget(0.2)
    with budget:
        outcome = await run(make_setting(budget=budget), link(None, shadow=True))
    assert outcome == Outcome(None)


async def test_many_events_are_one_record(
    make_setting: MakeSetting, records: list[FilterRecord]
) -> None:
    each = link()
    scripted = each.filter
    assert isinstance(scripted, Scripted)
    with Visit(each, make_setting(), NoTracer()) as visit:
        for answer in (KEEP, Change(b"x", note="n"), KEEP):
            scripted.answer = answer
            await visit.ask(b"event", Form.EVENTS, accept)
    assert [(one.label, one.calls, one.note) for one in records] == [("changed", 3, "n")]
