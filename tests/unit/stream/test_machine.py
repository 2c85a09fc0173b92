from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.errors import Reject
from extproc.http import Answer, Headers, HttpRequest, Mutations
from extproc.stream.commands import Decide, Finish, Reply, Respond, Screen, Slot
from extproc.stream.events import (
    BodyMode,
    Decided,
    Event,
    RequestBody,
    RequestHeaders,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseTrailers,
    Result,
    Screened,
    Unfinished,
)
from extproc.stream.machine import ProtocolViolation, State, StreamMachine

LIMIT = 16
PATH = "/v1/chat/completions"
HEADERS = Headers(((":method", "POST"), (":path", PATH + "?a=b"), ("x-a", "1")))
ROUTED = Mutations(set_headers=(("x-outerloop-agent", "a"),), reroute=True)
REFUSED = Reject(400, "invalid_request", "no")


async def work() -> Result:
    raise AssertionError("the machine does no work")


WORK = Unfinished(7.0, work)


def request(body: bytes = b"") -> HttpRequest:
    return HttpRequest("POST", PATH + "?a=b", HEADERS, body)


def test_a_body_is_screened_decided_and_routed(playbook: Any) -> None:
    playbook >> RequestHeaders(HEADERS, end_of_stream=False, body_mode=BodyMode.BUFFERED)
    playbook << Screen(request())
    playbook >> Screened(None) << Reply(Slot.REQUEST_HEADERS)
    playbook >> RequestBody(b"{}") << Decide(request(b"{}"))
    playbook >> Decided(ROUTED) << Reply(Slot.REQUEST_BODY, ROUTED)
    assert playbook.machine.done


def test_a_request_without_a_body_is_decided_at_its_headers(playbook: Any) -> None:
    playbook >> RequestHeaders(HEADERS, end_of_stream=True) << Decide(request())
    playbook >> Decided(Answer(b"{}")) << Respond(Answer(b"{}"), PATH)
    assert playbook.machine.done


def test_what_the_headers_rule_out_is_refused_before_the_upload(playbook: Any) -> None:
    playbook >> RequestHeaders(HEADERS, end_of_stream=False) << Screen(request())
    playbook >> Screened(REFUSED) << Respond(REFUSED, PATH)
    assert playbook.machine.done


def test_trailers_instead_of_a_body_are_decided_as_an_empty_body(playbook: Any) -> None:
    playbook >> RequestHeaders(HEADERS, end_of_stream=False) << Screen(request())
    playbook >> Screened(None) << Reply(Slot.REQUEST_HEADERS)
    playbook >> RequestTrailers() << Decide(request())
    playbook >> Decided(REFUSED) << Respond(REFUSED, PATH)


def test_earlier_agents_are_run_before_the_request_goes_on(playbook: Any) -> None:
    playbook >> RequestHeaders(HEADERS, end_of_stream=False) << Screen(request())
    playbook >> Screened(None) << Reply(Slot.REQUEST_HEADERS)
    playbook >> RequestBody(b"{}") << Decide(request(b"{}"))
    playbook >> Decided(WORK) << Finish(WORK)
    playbook >> Decided(ROUTED) << Reply(Slot.REQUEST_BODY, ROUTED)
    assert playbook.machine.done


def test_time_is_asked_for_only_once(playbook: Any) -> None:
    playbook >> RequestHeaders(HEADERS, end_of_stream=True) << Decide(request())
    playbook >> Decided(WORK) << Finish(WORK)
    with pytest.raises(ProtocolViolation):
        playbook.machine.receive(Decided(WORK))
    playbook >> Decided(REFUSED) << Respond(REFUSED, PATH)


@pytest.mark.parametrize("mode", [mode for mode in BodyMode if mode is not BodyMode.BUFFERED])
def test_another_body_mode_is_refused_by_name(mode: BodyMode) -> None:
    command = StreamMachine(LIMIT).receive(RequestHeaders(HEADERS, False, mode))
    assert isinstance(command, Respond)
    assert isinstance(command.answer, Reject)
    assert command.answer.status == 500
    assert mode.name in command.answer.message
    assert "BUFFERED" in command.answer.message


def test_a_mode_without_bodies_does_no_harm_to_a_request_without_one(playbook: Any) -> None:
    playbook >> RequestHeaders(HEADERS, True, BodyMode.NONE) << Decide(request())


def test_a_body_over_the_limit_is_refused(playbook: Any) -> None:
    playbook >> RequestHeaders(HEADERS, end_of_stream=False) << Screen(request())
    playbook >> Screened(None) << Reply(Slot.REQUEST_HEADERS)
    command = playbook.machine.receive(RequestBody(b"x" * (LIMIT + 1)))
    assert isinstance(command, Respond)
    assert isinstance(command.answer, Reject)
    assert (command.answer.status, command.answer.code) == (413, "request_too_large")


def test_a_body_of_exactly_the_limit_is_decided(playbook: Any) -> None:
    playbook >> RequestHeaders(HEADERS, end_of_stream=False) << Screen(request())
    playbook >> Screened(None) << Reply(Slot.REQUEST_HEADERS)
    playbook >> RequestBody(b"x" * LIMIT) << Decide(request(b"x" * LIMIT))


def test_a_stream_that_begins_with_a_response_is_let_through(playbook: Any) -> None:
    playbook >> ResponseHeaders() << Reply(Slot.RESPONSE_HEADERS)
    playbook >> ResponseBody() << Reply(Slot.RESPONSE_BODY)
    playbook >> ResponseTrailers() << Reply(Slot.RESPONSE_TRAILERS)
    assert not playbook.machine.done


def test_a_response_instead_of_the_body_is_let_through(playbook: Any) -> None:
    playbook >> RequestHeaders(HEADERS, end_of_stream=False) << Screen(request())
    playbook >> Screened(None) << Reply(Slot.REQUEST_HEADERS)
    playbook >> ResponseHeaders() << Reply(Slot.RESPONSE_HEADERS)


ENVOY_EVENTS = st.one_of(
    st.builds(
        RequestHeaders,
        st.just(HEADERS),
        st.booleans(),
        st.one_of(st.none(), st.sampled_from(BodyMode)),
    ),
    st.builds(RequestBody, st.binary(max_size=LIMIT + 4)),
    st.just(RequestTrailers()),
    st.just(ResponseHeaders()),
    st.just(ResponseBody()),
    st.just(ResponseTrailers()),
)
OUTCOMES: st.SearchStrategy[Mutations | Reject | Answer] = st.sampled_from(
    [ROUTED, REFUSED, Answer(b"{}")]
)
SLOT_OF = {
    RequestHeaders: Slot.REQUEST_HEADERS,
    RequestBody: Slot.REQUEST_BODY,
    RequestTrailers: Slot.REQUEST_TRAILERS,
    ResponseHeaders: Slot.RESPONSE_HEADERS,
    ResponseBody: Slot.RESPONSE_BODY,
    ResponseTrailers: Slot.RESPONSE_TRAILERS,
}


def answer_of(machine: StreamMachine, event: Event, data: st.DataObject) -> Reply | Respond:
    """Drive one message of Envoy to its answer, as the driver does."""
    command = machine.receive(event)
    while not isinstance(command, Reply | Respond):
        if isinstance(command, Screen):
            assert not command.request.body
            command = machine.receive(Screened(data.draw(st.sampled_from([None, REFUSED]))))
        elif isinstance(command, Finish):
            command = machine.receive(Decided(data.draw(OUTCOMES)))
        else:
            assert len(command.request.body) <= LIMIT
            command = machine.receive(Decided(data.draw(OUTCOMES | st.just(WORK))))
    return command


@given(st.lists(ENVOY_EVENTS, max_size=8), st.data())
def test_any_order_of_events(events: list[Event], data: st.DataObject) -> None:
    machine = StreamMachine(LIMIT)
    decided = False
    for event in events:
        legal = type(event) in machine.TRANSITIONS[machine.state]
        before = machine.state
        if not legal:
            with pytest.raises(ProtocolViolation):
                machine.receive(event)
            assert machine.state is before
            continue
        answer = answer_of(machine, event, data)
        if isinstance(answer, Respond):
            assert machine.done
        else:
            assert answer.slot is SLOT_OF[type(event)]
            routed = answer.mutations is ROUTED
            # A request goes on past its body only with a decision, and only once.
            assert routed == (machine.done and not decided)
            assert routed or type(event) not in {RequestBody, RequestTrailers}
            decided = decided or routed
    if machine.done:
        for event in (*events, Screened(None), Decided(ROUTED)):
            with pytest.raises(ProtocolViolation):
                machine.receive(event)


def test_the_table_names_every_state_and_event() -> None:
    assert set(StreamMachine.TRANSITIONS) == set(State)
    listed = set().union(*StreamMachine.TRANSITIONS.values())
    assert listed == {*SLOT_OF, Screened, Decided}
