from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from extproc.calls import Call, CallFailed, Response, Target
from extproc.http import Headers
from extproc.origin import parse_origin
from extproc.spans import Attributes, PassedOn, Span, current
from extproc.traced import TracedCaller

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CHILD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b8-01"
CALL = Call(Target("model", parse_origin("http://m")), "/v1", b"", 1.0, 10, (("a", "b"),))


class Kept:
    """A tracer, and the one span that it gives."""

    exports = True
    is_recording = True
    traceparent = CHILD

    def __init__(self) -> None:
        self.began: tuple[Any, ...] = ()
        self.attributes: dict[str, Any] = {}
        self.failed = ""

    def start(self) -> str:
        raise AssertionError

    @contextmanager
    def span(self, *what: Any) -> Iterator[Span]:
        self.began = what
        yield self

    def set(self, attributes: Attributes) -> None:
        self.attributes |= attributes

    def fail(self, reason: str) -> None:
        self.failed = reason


class Server:
    def __init__(self, answer: int | CallFailed) -> None:
        self.answer = answer
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> Response:
        self.calls.append(call)
        if isinstance(self.answer, CallFailed):
            raise self.answer
        return Response(self.answer, Headers(), b"")


async def test_a_call_is_a_span_below_the_current_one() -> None:
    tracer, server = Kept(), Server(200)
    caller = TracedCaller(server, tracer, "chat m", {"k": 1})
    with current(PassedOn(PARENT)):
        assert (await caller(CALL)).status == 200
    assert tracer.began == ("chat m", PARENT, {"k": 1}, "client")
    assert server.calls[0].headers == (("a", "b"), ("traceparent", CHILD))
    assert (tracer.attributes, tracer.failed) == ({"http.response.status_code": 200}, "")


async def test_outside_of_a_request_it_is_a_call() -> None:
    tracer, server = Kept(), Server(200)
    await TracedCaller(server, tracer, "chat m", {})(CALL)
    assert server.calls == [CALL]
    assert not tracer.began


@pytest.mark.parametrize(
    ("answer", "type_"),
    [
        (500, "500"),
        (429, "429"),
        (CallFailed("x"), "no_answer"),
        (CallFailed("x", timed_out=True), "timeout"),
    ],
)
async def test_a_failed_call_has_failed(answer: int | CallFailed, type_: str) -> None:
    tracer = Kept()
    caller = TracedCaller(Server(answer), tracer, "chat m", {})
    with current(PassedOn(PARENT)), suppress(CallFailed):
        await caller(CALL)
    assert tracer.attributes["error.type"] == type_
    assert tracer.failed
