from __future__ import annotations

import pytest

from extproc.calls import Call, CallFailed, Response, Target
from extproc.conversation import Api
from extproc.filters.api import KEEP, Change, Deny, FilterError, Form, Phase, Subject, Verdict
from extproc.filters.http import HttpFilter
from extproc.http import Headers
from extproc.origin import parse_origin

TARGET = Target("filter/f", parse_origin("http://h/base/v1", api=False))


async def ask(
    answer: Response | CallFailed, form: Form = Form.JSON, calls: list[Call] | None = None
) -> Verdict:
    async def caller(call: Call, /) -> Response:
        if calls is not None:
            calls.append(call)
        if isinstance(answer, CallFailed):
            raise answer
        return answer

    subject = Subject(Phase.INPUT, Api.MESSAGES, b"{}", form, (("x-request-id", "r"),))
    return await HttpFilter(TARGET, caller, timeout=3, max_bytes=9).apply(subject)


def says(status: int, body: bytes = b"") -> Response:
    return Response(status, Headers(), body)


@pytest.mark.parametrize(
    ("form", "kind"), [(Form.JSON, "application/json"), (Form.EVENTS, "text/event-stream")]
)
async def test_the_body_goes_to_the_requests_path_behind_the_url(form: Form, kind: str) -> None:
    calls: list[Call] = []
    await ask(says(204), form, calls)
    [call] = calls
    assert (call.method, call.path, call.body) == ("POST", "/base/v1/v1/messages", b"{}")
    assert call.headers == (("content-type", kind), ("x-request-id", "r"))
    assert (call.timeout, call.max_bytes) == (3, 9)


@pytest.mark.parametrize(
    ("answer", "form", "verdict"),
    [
        (says(200, b'{"a":1}'), Form.JSON, Change(b'{"a":1}')),
        (says(201, b'{"a":1}'), Form.JSON, Change(b'{"a":1}')),
        (says(200, b"{}"), Form.JSON, KEEP),
        (says(200), Form.JSON, KEEP),
        (says(204), Form.JSON, KEEP),
        (says(204), Form.EVENTS, KEEP),
        (says(200), Form.EVENTS, Change(b"")),
        (says(422, b'{"detail": "no"}'), Form.JSON, Deny("no", 422)),
    ],
)
async def test_what_an_answer_means(answer: Response, form: Form, verdict: Verdict) -> None:
    assert await ask(answer, form) == verdict


@pytest.mark.parametrize("status", [100, 302, 500, 503])
async def test_any_other_status_is_a_failure(status: int) -> None:
    with pytest.raises(FilterError, match=str(status)):
        await ask(says(status))


@pytest.mark.parametrize("late", [False, True])
async def test_no_answer_is_a_failure(*, late: bool) -> None:
    with pytest.raises(FilterError) as failed:
        await ask(CallFailed("filter/f: refused", timed_out=late))
    assert failed.value.timed_out is late
