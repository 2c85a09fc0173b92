"""Earlier agents that fail: an error that names them, or a plan that goes on without them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack
    from tests.e2e.plans.conftest import Agents, Behaviour, Client

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATHS = (CHAT, MESSAGES, RESPONSES)
Refused = Callable[..., dict[str, Any]]
Make = Callable[["Agents"], "Behaviour"]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
WHOLE = b'{"choices": [{"message": {"role": "assistant", "content": "SECRET"}}]}'
SSE = b'data: {"choices": [{"delta": {"content": "SECRET"}}]}\n\n'

FAILURES: dict[str, tuple[Make, int | None]] = {
    # what the agent does, and the status that is reported, if any came
    "500": (lambda agents: agents.answers({"error": {"message": "SECRET"}}, status=500), 500),
    "429": (lambda agents: agents.answers({"error": "SECRET"}, status=429), 429),
    "404": (lambda agents: agents.answers(b"SECRET", status=404), 404),
    "503": (lambda agents: agents.answers(b"SECRET", status=503), 503),
    "redirect": (
        lambda agents: agents.answers(b"SECRET", status=307, headers={"location": "/SECRET"}),
        307,
    ),
    "garbage": (lambda agents: agents.answers(b"\x00\xffSECRET"), 200),
    "html": (
        lambda agents: agents.answers(
            b"<html>SECRET</html>", headers={"content-type": "text/html"}
        ),
        200,
    ),
    "empty": (lambda agents: agents.answers(b""), 200),
    "204": (lambda agents: agents.answers(b"", status=204), 204),
    "json": (lambda agents: agents.answers({"text": "SECRET"}), 200),
    "error in a 200": (lambda agents: agents.answers({"error": {"message": "SECRET"}}), 200),
    "another API": (lambda agents: agents.answers({"type": "message", "content": [{}]}), 200),
    "not gzip": (lambda agents: agents.answers(WHOLE, headers={"content-encoding": "gzip"}), None),
    "not HTTP": (lambda agents: agents.bytes(b"SSH-2.0-SECRET\r\n"), None),
    "closed": (lambda agents: agents.bytes(), None),
    "reset": (lambda agents: agents.bytes(reset=True), None),
    "cut JSON": (lambda agents: agents.bytes(HEAD + b"\r\n" + WHOLE[:-5]), 200),
    "content-length too long": (
        lambda agents: agents.bytes(HEAD + b"content-length: 999\r\n\r\n", WHOLE),
        None,
    ),
    "chunks that end": (
        lambda agents: agents.bytes(HEAD + b"transfer-encoding: chunked\r\n\r\n", b"46\r\n", WHOLE),
        None,
    ),
    "reset in the middle": (
        lambda agents: agents.bytes(
            HEAD + b"transfer-encoding: chunked\r\n\r\n", b"46\r\n", WHOLE[:9], reset=True
        ),
        None,
    ),
    "cut stream": (lambda agents: agents.streams("SECRET", cut=2), 200),
    "cut in an event": (lambda agents: agents.bytes(HEAD + b"\r\n" + SSE + SSE[:20]), 200),
    "100 MB": (lambda agents: agents.floods(100 * 2**20), None),
}


@pytest.mark.parametrize("listener", ["fail", "parallel"])
@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_agent_ends_the_plan(
    plans: Client, agents: Agents, refused: Refused, failure: str, listener: str
) -> None:
    make, status = FAILURES[failure]
    request_id = agents.script(b=make(agents))
    answer = plans.post(listener, "a,b,c", under=request_id)
    error = refused(answer, CHAT, 502, "step_failed")
    assert (error["agent"], error.get("upstream_status")) == ("b", status)
    assert "SECRET" not in answer.text
    assert "SECRET" not in str(answer.headers)
    assert answer.headers.get("x-outerloop-agent") is None
    assert "c" not in {call.agent for call in agents.calls(request_id)}


@pytest.mark.parametrize("listener", ["skip", "parallel_skip"])
@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_agent_is_left_out(
    plans: Client, agents: Agents, failure: str, listener: str
) -> None:
    request_id = agents.script(b=FAILURES[failure][0](agents))
    answer = plans.post(listener, "a,b,c", under=request_id)
    assert answer.status_code == 200
    assert "c says so" in answer.text
    assert answer.headers["x-outerloop-plan"] == "a,b,c"
    last = agents.calls(request_id)[-1]
    assert last.agent == "c"
    assert last.texts == [("assistant", "a says so"), ("user", "do it all")]


@pytest.mark.parametrize("path", PATHS)
def test_the_error_is_in_the_shape_of_the_clients_api(
    plans: Client, agents: Agents, refused: Refused, path: str
) -> None:
    request_id = agents.script(a=agents.answers(b"", status=500))
    error = refused(
        plans.post("fail", "a,b", path=path, under=request_id), path, 502, "step_failed"
    )
    assert (error["agent"], error["upstream_status"]) == ("a", 500)
    assert "a" in error["message"].split()


@pytest.mark.parametrize("path", PATHS)
def test_a_skipped_agent_leaves_the_body_as_it_was(
    plans: Client, agents: Agents, path: str
) -> None:
    request_id = agents.script(a=agents.answers(b"oops"), b=agents.answers(b"", status=500))
    body = {"input" if path == RESPONSES else "messages": [{"role": "user", "content": "hi"}]}
    content = json.dumps(body).encode()
    assert plans.post("skip", "a,b,c", content, path=path, under=request_id).status_code == 200
    assert agents.calls(request_id)[-1].body == content


@pytest.mark.parametrize("plan", ["dead,b", "a,dead,b"])
@pytest.mark.parametrize("path", PATHS)
def test_an_agent_that_is_not_there(
    plans: Client, agents: Agents, refused: Refused, path: str, plan: str
) -> None:
    answer = plans.post("fail", plan, path=path, under=agents.script())
    error = refused(answer, path, 502, "step_failed")
    assert error["agent"] == "dead"
    assert "upstream_status" not in error
    assert plans.post("skip", plan, path=path, under=agents.script()).status_code == 200


def test_the_agents_own_timeout_holds_for_a_step(
    plans: Client, agents: Agents, refused: Refused
) -> None:
    """An agent that hangs costs its own `timeout`, a second, and its connection is closed."""
    request_id = agents.script(hasty=agents.hangs)
    error = refused(plans.post("fail", "hasty,b", under=request_id), CHAT, 502, "step_failed")
    assert error["agent"] == "hasty"
    [call] = agents.calls(request_id)
    agents.wait(lambda: call.cut)
    assert call.ended is not None
    assert 0.5 < call.ended - call.began < 20
    request_id = agents.script(hasty=agents.hangs)
    assert plans.post("skip", "a,hasty,b", under=request_id).status_code == 200
    assert agents.calls(request_id)[-1].texts[0] == ("assistant", "a says so")


def test_a_stream_that_does_not_end_costs_no_more(
    plans: Client, agents: Agents, refused: Refused
) -> None:
    request_id = agents.script(hasty=agents.streams("never whole", until=agents.event()))
    error = refused(plans.post("fail", "hasty,b", under=request_id), CHAT, 502, "step_failed")
    assert error["agent"] == "hasty"


def test_the_agents_own_retries_hold_for_a_step(plans: Client, agents: Agents) -> None:
    busy = agents.answers(b"", status=503)
    request_id = agents.script(again=[busy, busy, agents.says("at last")])
    assert plans.post("fail", "again,b", under=request_id).status_code == 200
    *tries, last = agents.calls(request_id)
    assert [call.agent for call in tries] == ["again"] * 3
    assert len({call.body for call in tries}) == 1
    assert last.texts[0] == ("assistant", "at last")


def test_retries_come_to_an_end(plans: Client, agents: Agents, refused: Refused) -> None:
    request_id = agents.script(again=agents.answers(b"", status=503))
    error = refused(plans.post("fail", "again,b", under=request_id), CHAT, 502, "step_failed")
    assert error["upstream_status"] == 503
    assert len(agents.calls(request_id)) == 3


def test_what_is_not_named_is_not_repeated(plans: Client, agents: Agents, refused: Refused) -> None:
    for status in (500, 503):
        request_id = agents.script(a=agents.answers(b"", status=status))
        refused(plans.post("fail", "a,b", under=request_id), CHAT, 502, "step_failed")
        assert len(agents.calls(request_id)) == 1


@pytest.fixture(scope="module")
def narrow(plans: Client, plans_yaml: Any, run_module_stack: Callable[..., Stack]) -> Client:
    """A stack with small limits."""
    limits = "max_response_bytes: 10KiB, max_request_bytes: 16KiB"
    stack = run_module_stack(plans_yaml("fail", "skip", "parallel", "parallel_skip", limits=limits))
    return type(plans)(stack, plans.http)


@pytest.mark.parametrize("listener", ["fail", "parallel"])
def test_an_answer_may_be_as_long_as_the_file_says(
    narrow: Client, agents: Agents, refused: Refused, listener: str
) -> None:
    frame = len(json.dumps({"choices": [{"message": {"role": "assistant", "content": ""}}]}))
    for length, fits in ((10 * 2**10, True), (10 * 2**10 + 1, False)):
        text = "x" * (length - frame)
        body = {"choices": [{"message": {"role": "assistant", "content": text}}]}
        request_id = agents.script(a=agents.answers(body))
        answer = narrow.post(listener, "a,b", under=request_id)
        if fits:
            assert answer.status_code == 200
            assert agents.calls(request_id)[-1].texts[0] == ("assistant", text)
        else:
            assert refused(answer, CHAT, 502, "step_failed")["agent"] == "a"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("listener", ["fail", "parallel"])
def test_answers_that_make_the_request_too_large_are_a_failure(
    narrow: Client, agents: Agents, refused: Refused, path: str, listener: str
) -> None:
    request_id = agents.script(a=agents.floods(9_000), b=agents.floods(9_000))
    answer = narrow.post(listener, "a,b,c", path=path, under=request_id)
    assert refused(answer, path, 502, "step_failed")["agent"] == "b"


@pytest.mark.parametrize("listener", ["skip", "parallel_skip"])
def test_or_they_are_left_out(narrow: Client, agents: Agents, listener: str) -> None:
    request_id = agents.script(a=agents.floods(9_000), b=agents.floods(9_000))
    assert narrow.post(listener, "a,b,c", under=request_id).status_code == 200
    [said, turn] = agents.calls(request_id)[-1].texts
    assert said == ("assistant", "x" * 9_000)
    assert turn == ("user", "do it all")


def test_the_last_agent_gets_a_request_of_the_largest_size(narrow: Client, agents: Agents) -> None:
    """`limits.max_request_bytes` to the byte, and no further."""
    empty = agents.script(a=agents.says(""))
    narrow.post("fail", "a,b", under=empty)
    own = len(agents.calls(empty)[-1].body)
    frame = len(json.dumps({"role": "assistant", "name": "a", "content": ""})) + len(",")
    for room, status in ((16 * 2**10 - own - frame, 200), (16 * 2**10 - own - frame + 1, 502)):
        first, second = "x" * 9_000, "y" * (room - frame - 9_000)
        request_id = agents.script(a=agents.says(first), b=agents.says(second))
        assert narrow.post("fail", "a,b,c", under=request_id).status_code == status
        if status == 200:
            assert len(agents.calls(request_id)[-1].body) == 16 * 2**10
