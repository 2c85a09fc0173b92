from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any

import pytest

from extproc.calls import Target
from extproc.config.model.orchestrator import ModelServer
from extproc.errors import OrchestratorFailed
from extproc.orchestrator.breaker import FAILURES, FIRST_PAUSE
from extproc.orchestrator.model.request import MAX_TOKENS, RESPONSE_FORMAT, TEMPERATURE
from extproc.orchestrator.model.server import ChatServer


def build(without: AbstractSet[str]) -> bytes:
    return json.dumps(sorted(without)).encode()


@pytest.fixture
def make(server: Any, target: Target, config: Callable[..., ModelServer]) -> Any:
    def make_server(**more: Any) -> ChatServer:
        return ChatServer(config(**more), target, server, max_bytes=1000, clock=server.clock)

    return make_server


async def failure(chat: ChatServer) -> str:
    with pytest.raises(OrchestratorFailed) as caught:
        await chat.ask(build)
    return caught.value.message


async def test_the_call_is_whole(server: Any, make: Any, target: Target) -> None:
    server.fails(200, b"answer")
    assert await make().ask(build) == b"answer"
    (call,) = server.calls
    assert (call.target, call.path) == (target, "/prefix/v1/chat/completions")
    assert (call.timeout, call.max_bytes, call.body) == (5, 1000, b"[]")
    assert dict(call.headers) == {
        "content-type": "application/json",
        "authorization": "Bearer secret",
    }


async def test_without_a_key_there_is_no_authorization(server: Any, make: Any) -> None:
    server.fails(200)
    await make(access_key=None).ask(build)
    assert "authorization" not in dict(server.calls[0].headers)


async def test_a_broken_connection_is_tried_once_more(server: Any, make: Any) -> None:
    server.seconds = 2
    server.breaks()
    server.fails(200, b"answer")
    assert await make().ask(build) == b"answer"
    assert [call.timeout for call in server.calls] == [5, 3]


async def test_a_second_broken_connection_is_a_failure(server: Any, make: Any) -> None:
    server.breaks()
    server.breaks()
    assert await failure(make()) == "the model server gave no answer"


async def test_a_deadline_is_not_tried_again(server: Any, make: Any) -> None:
    server.breaks(timed_out=True)
    assert await failure(make()) == "the model server did not answer in time"


async def test_the_retry_has_no_time_of_its_own(server: Any, make: Any) -> None:
    server.seconds = 5
    server.breaks()
    assert await failure(make()) == "the model server did not answer in time"
    assert len(server.calls) == 1


@pytest.mark.parametrize("status", [301, 401, 404, 408, 429, 500, 503])
async def test_a_server_that_cannot_serve_is_not_asked_for_a_while(
    server: Any, make: Any, status: int
) -> None:
    chat = make(structured_output="none")
    for _ in range(FAILURES):
        server.fails(status, b"temporary")
        assert await failure(chat) == f"the model server answered {status}"
    assert await failure(chat) == "the server has failed and is not asked for a while"
    assert len(server.calls) == FAILURES
    server.now += FIRST_PAUSE
    server.fails(200, b"answer")
    assert await chat.ask(build) == b"answer"


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refused_conversation_closes_the_server_to_nobody(
    server: Any, make: Any, status: int
) -> None:
    chat = make(structured_output="none")
    for _ in range(2 * FAILURES):
        server.fails(status, b"content filter")
        assert await failure(chat) == f"the model server answered {status}"
    assert len(server.calls) == 2 * FAILURES


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_refused_schema_is_left_out_from_then_on(
    server: Any, make: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    chat = make()
    server.fails(status, b"bad request")
    server.fails(200)
    server.fails(200)
    await chat.ask(build)
    await chat.ask(build)
    assert server.sent() == [[], [RESPONSE_FORMAT], [RESPONSE_FORMAT]]
    assert caplog.messages == ["model server model does not take response_format"]


async def test_a_schema_is_not_blamed_for_what_fails_without_it_too(server: Any, make: Any) -> None:
    chat = make()
    for _ in range(2):
        server.fails(400, b"context length exceeded")
        server.fails(400, b"context length exceeded")
        assert await failure(chat) == "the model server answered 400"
    assert server.sent() == [[], [RESPONSE_FORMAT]] * 2


async def test_members_that_are_named_are_left_out(server: Any, make: Any) -> None:
    """As servers do whose models only reason."""
    chat = make()
    server.fails(400, b"'max_tokens' is not supported with this model")
    server.fails(400, b"'temperature' does not support 0")
    server.fails(200)
    await chat.ask(build)
    assert server.sent() == [[], [MAX_TOKENS], [MAX_TOKENS, TEMPERATURE]]


@pytest.mark.parametrize(("choice", "without"), [("json_schema", []), ("none", [RESPONSE_FORMAT])])
async def test_what_the_configuration_settles_is_not_tried(
    server: Any, make: Any, choice: str, without: list[str]
) -> None:
    server.fails(400, b"response_format is not supported")
    assert await failure(make(structured_output=choice)) == "the model server answered 400"
    assert server.sent() == [without]


async def test_all_attempts_share_one_deadline(server: Any, make: Any) -> None:
    server.seconds = 3
    server.fails(400)
    server.breaks()
    assert await failure(make()) == "the model server did not answer in time"
    assert [call.timeout for call in server.calls] == [5, 2]


@pytest.fixture(autouse=True)
def all_steps_are_taken(server: Any) -> Iterator[None]:
    yield
    assert server.steps == []
