from __future__ import annotations

import json
from typing import Any

import pytest
from envoy_data_plane.envoy.service.ext_proc import v3 as envoy
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from extproc._pb import outerloop_ext_proc_pb2 as pb
from extproc.errors import Reject
from extproc.forwarding import Trail
from extproc.http import NO_MUTATIONS, Answer, Metadata, Mutations
from extproc.plan import Source
from extproc.server.wire.responses import encode
from extproc.stream.commands import Finish, Reply, Respond, Slot
from extproc.stream.events import (
    Result,
    Unfinished,
)
from extproc.verdict import Form, Verdict, form_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("slot", list(Slot))
def test_going_on_answers_the_phase_that_asked(slot: Slot) -> None:
    response = envoy.ProcessingResponse.parse(encode(Reply(slot)))
    assert getattr(response, slot.value) is not None
    assert response.immediate_response is None


def test_mutations_overwrite_reroute_and_carry_metadata() -> None:
    mutations = Mutations(
        set_headers=(("x-outerloop-agent", "a"),),
        remove_headers=("x-b",),
        reroute=True,
    )
    metadata: Metadata = {"cached": False, "ms": 1.5, "trace_id": "t"}
    response = pb.ProcessingResponse.FromString(
        encode(Reply(Slot.REQUEST_BODY, mutations, metadata))
    )
    common = response.request_body.response
    [option] = common.header_mutation.set_headers
    assert (option.header.key, option.header.raw_value) == ("x-outerloop-agent", b"a")
    assert option.append_action == pb.OVERWRITE_IF_EXISTS_OR_ADD
    assert list(common.header_mutation.remove_headers) == ["x-b"]
    assert common.clear_route_cache
    assert not common.HasField("body_mutation")
    assert json_format.MessageToDict(response.dynamic_metadata) == {
        "outerloop": {"cached": False, "ms": 1.5, "trace_id": "t"}
    }


@st.composite
def forms(draw: st.DrawFn) -> Form:
    listener = draw(st.sampled_from(("main", "100%b", "x" * 200)))
    agents = draw(st.lists(st.sampled_from(("a", "b-2", "%d%%", "c" * 130)), min_size=1))
    return form_of(listener, tuple(agents), draw(st.sampled_from(Source)), draw(st.booleans()))


@st.composite
def trails(draw: st.DrawFn) -> Trail:
    more = draw(st.sampled_from(("", "-more")))
    return Trail(f"00-{TRACE}-00f067aa0ba902b7-01{more}", draw(st.integers(1, 9)))


VERDICTS = st.builds(Verdict, forms(), st.floats(0, 1), st.floats(0, 1e6), trails())


@given(VERDICTS, st.sampled_from((Slot.REQUEST_HEADERS, Slot.REQUEST_BODY, Slot.REQUEST_TRAILERS)))
def test_a_verdict_is_told_as_headers_and_metadata_would_be(verdict: Verdict, slot: Slot) -> None:
    told = encode(Reply(slot, Mutations(reroute=True, verdict=verdict)))
    plain = Mutations(set_headers=verdict.headers, reroute=True)
    expected = encode(Reply(slot, plain, verdict.metadata))
    assert pb.ProcessingResponse.FromString(told) == pb.ProcessingResponse.FromString(expected)


def test_a_verdict_with_more_beside_it() -> None:
    form = form_of("main", ("a",), Source.RULE, False)
    verdict = Verdict(form, 1.0, 1.5, Trail(f"00-{TRACE}-00f067aa0ba902b7-01", 1))
    mutations = Mutations((("x-tag", "1"),), body=b"{}", reroute=True, verdict=verdict)
    message = encode(Reply(Slot.REQUEST_BODY, mutations, {"filters": "f=tagged"}))
    response = pb.ProcessingResponse.FromString(message)
    common = response.request_body.response
    names = [option.header.key for option in common.header_mutation.set_headers]
    assert names[-2:] == ["x-tag", "content-length"]
    assert common.body_mutation.body == b"{}"
    told = response.dynamic_metadata.fields["outerloop"].struct_value.fields
    assert (told["agent"].string_value, told["filters"].string_value) == ("a", "f=tagged")


def test_a_new_body_brings_its_length() -> None:
    mutations = Mutations(body=b"12345")
    response = pb.ProcessingResponse.FromString(encode(Reply(Slot.REQUEST_BODY, mutations)))
    common = response.request_body.response
    assert common.body_mutation.body == b"12345"
    assert [(o.header.key, o.header.raw_value) for o in common.header_mutation.set_headers] == [
        ("content-length", b"5")
    ]


def test_a_decision_at_the_headers_answers_the_headers() -> None:
    mutations = Mutations(set_headers=(("x-outerloop-agent", "a"),), reroute=True)
    response = pb.ProcessingResponse.FromString(encode(Reply(Slot.REQUEST_HEADERS, mutations)))
    assert response.request_headers.response.clear_route_cache
    assert encode(Reply(Slot.REQUEST_HEADERS)) == encode(Reply(Slot.REQUEST_HEADERS, NO_MUTATIONS))


def test_time_for_earlier_agents_is_asked_for_by_itself() -> None:
    async def work() -> Result:
        raise AssertionError("not run")

    response = pb.ProcessingResponse.FromString(encode(Finish(Unfinished(7.25, work))))
    assert response.WhichOneof("response") is None
    assert response.override_message_timeout.ToMilliseconds() == 7250


def immediate(command: Respond) -> tuple[int, dict[str, bytes], dict[str, Any]]:
    response = pb.ProcessingResponse.FromString(encode(command)).immediate_response
    headers = {o.header.key: o.header.raw_value for o in response.headers.set_headers}
    return response.status.code, headers, json.loads(response.body)


def test_a_refusal_is_json_in_the_clients_shape() -> None:
    reject = Reject(405, "method_not_allowed", 'say "POST"\n', headers=(("allow", "POST"),))
    status, headers, body = immediate(Respond(reject, "/v1/chat/completions"))
    assert status == 405
    assert headers == {
        "content-type": b"application/json",
        "x-outerloop-error": b"method_not_allowed",
        "allow": b"POST",
    }
    assert body["error"]["message"] == 'say "POST"\n'
    _, _, body = immediate(Respond(reject, "/v1/messages"))
    assert body["type"] == "error"


def test_an_answer_of_our_own() -> None:
    status, headers, body = immediate(Respond(Answer(b'{"data":[]}'), "/v1/models"))
    assert (status, body) == (200, {"data": []})
    assert headers == {"content-type": b"application/json"}
