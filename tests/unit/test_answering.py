from __future__ import annotations

import json
from typing import Any

from extproc.answering import AnswerFilters, Answering, describe, describe_unfiltered
from extproc.budget import Budget
from extproc.errors import Reject
from extproc.exchange import Exchange
from extproc.filters.api import KEEP, Change, Deny, Subject, Verdict
from extproc.filters.chain import Chain, Link
from extproc.forwarding import Trail
from extproc.http import Headers, HttpRequest
from extproc.plan import Decision, Plan, Source
from extproc.spans import NoTracer
from extproc.stream.events import ResponseHeaders

TRAIL = Trail("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", loops=1)
REQUEST = HttpRequest(
    "POST",
    "/v1/chat/completions",
    Headers((("x-request-id", "r"), ("authorization", "k"), ("x-tenant", "t\xe9"))),
)
DECISION = Decision("main", Plan(("a",), Source.SINGLE), cached=False, milliseconds=1)


class Judge:
    def __init__(self) -> None:
        self.seen: list[Subject] = []

    async def apply(self, subject: Subject, /) -> Verdict:
        self.seen.append(subject)
        if b"deny" in subject.body:
            return Deny("no", 451)
        return KEEP if b"keep" in subject.body else Change(b'{"b": 1}')


def filters(judge: Judge) -> AnswerFilters:
    link = Link("f", judge, 5.0, forwards=frozenset({"x-tenant"}))
    told = frozenset({"x-request-id"})
    return AnswerFilters(Chain((link,), NoTracer()), 9.0, 1000, told)


def begin(judge: Judge, content_type: str = "application/json") -> Answering:
    described = describe(
        filters(judge), Exchange(REQUEST, TRAIL, Budget(1), [], []), DECISION, "some-id"
    )
    exchange: dict[str, Any] = json.loads(described)
    assert exchange["id"] == "some-id"
    headers = Headers(((":status", "200"), ("content-type", content_type)))
    return Answering(filters(judge), exchange, ResponseHeaders(headers))


async def end(answering: Answering, data: bytes) -> bytes | Reject:
    pieces = [piece async for piece in answering.feed(data)]
    pieces += [piece async for piece in answering.close()]
    assert len([piece for piece in pieces if piece]) == 1
    return pieces[0]


async def test_a_filter_of_an_answer_knows_the_request() -> None:
    judge = Judge()
    with begin(judge) as answering:
        assert await end(answering, b'{"keep": 1}') == b'{"keep": 1}'
        assert answering.head(11).set_headers == ()
    headers = dict(judge.seen[0].headers)
    assert headers["x-tenant"] == "t\xe9"
    assert headers["x-request-id"] == "r"
    assert headers["x-outerloop-agent"] == "a"
    assert headers["x-outerloop-status"] == "200"
    assert "authorization" not in headers
    assert answering.metadata == {"output_filters": "f=passed"}


async def test_a_changed_body_has_its_own_length_and_no_marks_of_the_old_one() -> None:
    with begin(Judge()) as answering:
        assert await end(answering, b'{"a": 1}') == b'{"b": 1}'
        head = answering.head(8)
    assert head.set_headers == (("content-length", "8"),)
    assert {"etag", "content-encoding"} <= set(head.remove_headers)


async def test_a_stream_has_no_length() -> None:
    with begin(Judge(), "text/event-stream") as answering:
        assert await end(answering, b"data: keep\n\n") == b"data: keep\n\n"
        assert "content-length" in answering.head(None).remove_headers


async def test_a_refusal_is_a_value_with_what_a_client_is_told() -> None:
    with begin(Judge()) as answering:
        reject = await end(answering, b'{"deny": 1}')
    assert isinstance(reject, Reject)
    assert (reject.status, reject.code) == (451, "filter_denied")
    assert reject.headers == (("x-request-id", "r"),)
    assert answering.error_event(reject).startswith(b'data: {"error": ')


def test_an_answer_without_filters_is_described_by_its_agent_alone() -> None:
    assert json.loads(describe_unfiltered(DECISION)) == {"listener": "main", "agent": "a"}
