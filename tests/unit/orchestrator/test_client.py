from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from extproc.calls import Call, CallFailed, Response, Target
from extproc.config.model.orchestrator import Server
from extproc.errors import OrchestratorFailed
from extproc.http import Headers
from extproc.orchestrator.breaker import ServerDown
from extproc.orchestrator.client import ApiClient
from extproc.origin import parse_origin

ANSWER = Response(503, Headers(), b"body")


@dataclass
class Script:
    """Each call takes its next step, and `seconds` of the clock."""

    steps: list[Response | CallFailed]
    seconds: float = 0.0
    now: float = 1000.0
    calls: list[Call] = field(default_factory=list)

    async def __call__(self, call: Call) -> Response:
        self.calls.append(call)
        self.now += self.seconds
        step = self.steps.pop(0)
        if isinstance(step, CallFailed):
            raise step
        return step


def client(script: Script, **keys: str) -> ApiClient:
    config = Server.model_validate({"url": "http://h/p/v1", "name": "m", **keys})
    return ApiClient(
        config,
        Target("t", parse_origin("http://h/p/v1")),
        script,
        kind="test server",
        path="/v1/x",
        max_bytes=7,
        clock=lambda: script.now,
    )


async def test_an_answer_is_returned_whatever_its_status() -> None:
    script = Script([ANSWER])
    assert await client(script, access_key="k").post(b"b", script.now + 3) is ANSWER
    (call,) = script.calls
    assert (call.path, call.body, call.timeout, call.max_bytes) == ("/p/v1/x", b"b", 3, 7)
    assert call.headers == (("content-type", "application/json"), ("authorization", "Bearer k"))


async def test_without_a_key_there_is_no_authorization() -> None:
    script = Script([ANSWER])
    await client(script).post(b"", script.now + 3)
    assert script.calls[0].headers == (("content-type", "application/json"),)


async def test_a_broken_connection_is_tried_once_more_in_the_time_that_is_left() -> None:
    script = Script([CallFailed("x"), ANSWER], seconds=2)
    assert await client(script).post(b"", script.now + 3) is ANSWER
    assert [call.timeout for call in script.calls] == [3, 1]


@pytest.mark.parametrize(
    ("steps", "seconds", "message"),
    [
        ([CallFailed("x"), CallFailed("x")], 0, "the test server gave no answer"),
        ([CallFailed("x")], 3, "the test server did not answer in time"),
        ([CallFailed("x", timed_out=True)], 0, "the test server did not answer in time"),
    ],
)
async def test_a_server_that_gives_no_answer(
    steps: list[Response | CallFailed], seconds: float, message: str
) -> None:
    script = Script(steps, seconds)
    with pytest.raises(ServerDown, match=message):
        await client(script).post(b"", script.now + 3)
    assert script.steps == []


@pytest.mark.parametrize(
    ("status", "down"), [(400, False), (413, False), (422, False), (401, True), (500, True)]
)
def test_only_some_statuses_say_that_the_server_cannot_serve(status: int, down: bool) -> None:
    error = client(Script([])).failure(status)
    assert isinstance(error, OrchestratorFailed)
    assert isinstance(error, ServerDown) is down
    assert error.message == f"the test server answered {status}"
