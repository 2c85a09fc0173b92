from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.core.v3 import HeaderMap, HeaderValue
from envoy_data_plane.envoy.config.core.v3 import HeaderValueOptionHeaderAppendAction as Append
from envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 import ProcessingModeBodySendMode
from envoy_data_plane.envoy.service.ext_proc import v3 as envoy
from envoy_data_plane.envoy.type import v3 as envoy_type
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from extproc._pb import SOURCE_SHA256
from extproc._pb import outerloop_ext_proc_pb2 as pb
from extproc.errors import Reject
from extproc.forwarding import Trail
from extproc.http import NO_MUTATIONS, Answer, Metadata, Mutations
from extproc.plan import Source
from extproc.server import wire
from extproc.server.wire import MalformedMessage, decode, encode, parse
from extproc.stream.commands import Finish, Reply, Respond, Slot
from extproc.stream.events import (
    BodyMode,
    Event,
    RequestBody,
    RequestHeaders,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseTrailers,
    Result,
    Unfinished,
)
from extproc.verdict import Form, Verdict, form_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def envoy_class(name: str) -> Any:
    for module in (envoy, core, envoy_type):
        if hasattr(module, name):
            return getattr(module, name)
    raise AssertionError(f"Envoy has no message {name}")


OURS = sorted(pb.DESCRIPTOR.message_types_by_name)


def sample(descriptor: Descriptor, depth: int = 0) -> Any:
    """A message of ours with every field set, the last member of each oneof included."""
    message = getattr(pb, descriptor.name)()
    for field in descriptor.fields:
        _fill(message, field, depth)
    return message


def _fill(message: Any, field: FieldDescriptor, depth: int) -> None:
    if field.message_type is not None:
        if field.message_type.GetOptions().map_entry:
            getattr(message, field.name)["outerloop"].update({"exchange": "e"})
        elif field.message_type.file.package.startswith("google."):
            if field.name == "dynamic_metadata":
                message.dynamic_metadata.update({"outerloop": {"cached": True, "ms": 1.5}})
            else:
                message.override_message_timeout.FromSeconds(7)
        elif field.is_repeated:
            getattr(message, field.name).append(sample(field.message_type, depth + 1))
        else:
            getattr(message, field.name).CopyFrom(sample(field.message_type, depth + 1))
        return
    value: Any = {
        FieldDescriptor.TYPE_STRING: "text",
        FieldDescriptor.TYPE_BYTES: b"bytes",
        FieldDescriptor.TYPE_BOOL: True,
        FieldDescriptor.TYPE_INT32: 404,
        FieldDescriptor.TYPE_ENUM: 2,
    }[field.type]
    if field.is_repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


def members(descriptor: Descriptor) -> list[Any]:
    """One full message for each member of the message's oneof, or one where it has none."""
    full = sample(descriptor)
    if not descriptor.oneofs:
        return [full]
    variants = []
    for field in descriptor.oneofs[0].fields:
        variant = type(full)()
        variant.CopyFrom(full)
        _fill(variant, field, 0)
        variants.append(variant)
    return variants


@pytest.mark.parametrize("name", OURS)
def test_envoys_classes_read_what_ours_write_and_back(name: str) -> None:
    theirs = envoy_class(name)
    for ours in members(pb.DESCRIPTOR.message_types_by_name[name]):
        wire = ours.SerializeToString()
        read = theirs.parse(wire)
        again = type(ours).FromString(bytes(read))
        assert again == ours
        # Fields of ours that Envoy does not know would be kept aside, not read.
        assert not read._unknown_fields


@pytest.mark.parametrize("name", OURS)
def test_our_field_numbers_are_envoys(name: str) -> None:
    theirs = envoy_class(name)
    numbers = {
        field.name: next(iter(field.metadata.values())).number
        for field in theirs.__dataclass_fields__.values()
    }
    for field in pb.DESCRIPTOR.message_types_by_name[name].fields:
        assert numbers[field.name] == field.number


def test_generated_code_comes_from_the_source_in_the_tree() -> None:
    source = Path(__file__).parents[3] / "proto" / "outerloop_ext_proc.proto"
    assert hashlib.sha256(source.read_bytes()).hexdigest() == SOURCE_SHA256, "run make proto"


def test_enums_are_envoys() -> None:
    assert dict(pb.HeaderAppendAction.items()) == {item.name: item.value for item in Append}
    assert dict(pb.BodySendMode.items()) == {
        item.name: item.value for item in ProcessingModeBodySendMode
    }


def test_headers_keep_order_repetition_and_every_byte() -> None:
    message = envoy.ProcessingRequest(
        request_headers=envoy.HttpHeaders(
            headers=HeaderMap(
                headers=[
                    HeaderValue(key=":path", raw_value=b"/x"),
                    HeaderValue(key="x-a", raw_value=b"1\xff"),
                    HeaderValue(key="x-a", value="2"),
                ]
            ),
            end_of_stream=True,
        ),
        protocol_config=envoy.ProtocolConfiguration(
            request_body_mode=ProcessingModeBodySendMode.BUFFERED
        ),
    )
    event = decode(parse(bytes(message)))
    assert isinstance(event, RequestHeaders)
    assert event.end_of_stream
    assert event.body_mode is BodyMode.BUFFERED
    assert event.headers.pairs == ((":path", "/x"), ("x-a", "1\xff"), ("x-a", "2"))


def test_a_stream_that_announces_no_mode() -> None:
    event = decode(parse(bytes(envoy.ProcessingRequest(request_headers=envoy.HttpHeaders()))))
    assert event == RequestHeaders(event.headers, end_of_stream=False, body_mode=None)  # type: ignore[union-attr] # its headers are empty


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (envoy.ProcessingRequest(request_body=envoy.HttpBody(body=b"x")), RequestBody(b"x")),
        (envoy.ProcessingRequest(request_trailers=envoy.HttpTrailers()), RequestTrailers()),
        (envoy.ProcessingRequest(response_headers=envoy.HttpHeaders()), ResponseHeaders()),
        (
            envoy.ProcessingRequest(response_body=envoy.HttpBody(body=b"x", end_of_stream=True)),
            ResponseBody(b"x", end_of_stream=True),
        ),
        (envoy.ProcessingRequest(response_trailers=envoy.HttpTrailers()), ResponseTrailers()),
    ],
)
def test_every_phase_has_its_event(message: envoy.ProcessingRequest, event: object) -> None:
    assert decode(parse(bytes(message))) == event


def test_a_message_without_a_phase_is_malformed() -> None:
    with pytest.raises(MalformedMessage):
        decode(parse(b""))


def test_a_body_mode_from_the_future_is_malformed() -> None:
    message = pb.ProcessingRequest(request_headers=pb.HttpHeaders())
    message.protocol_config.ParseFromString(b"\x08\x4d")  # request_body_mode: 77
    with pytest.raises(MalformedMessage):
        decode(message)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_malformed(data: bytes) -> None:
    with suppress(MalformedMessage):
        decode(parse(data))


MORE = (
    b"\x22\x03\x0a\x01z",  # another body
    b"\x22\x00",
    b"\x12\x00",  # headers
    bytes(envoy.ProcessingRequest(observability_mode=True)),
    bytes(envoy.ProcessingRequest(metadata_context=core.Metadata())),
)


@st.composite
def varints(draw: st.DrawFn, number: int) -> bytes:
    """A number below 2**14 as protobuf writes it, in more bytes than it needs at times."""
    digits = (number & 0x7F, number >> 7, 0, 0, 0)
    used = draw(st.integers(2 if number >> 7 else 1, len(digits)))
    return bytes([*(digit | 0x80 for digit in digits[: used - 1]), digits[used - 1]])


@st.composite
def nearly_bodies(draw: st.DrawFn) -> bytes:
    """Messages that begin as those with a body do, of lengths that may be wrong, and then more."""
    body = draw(st.binary(max_size=200))
    wrong = st.integers(0, 300)
    inner = draw(varints(draw(st.just(len(body)) | wrong)))
    after = draw(st.sampled_from((b"", b"\x10\x01", b"\x10\x00", b"\x0a\x00", b"\x0a\x01y")))
    field = b"\x0a%s%s%s" % (inner, body, after)
    outer = draw(varints(draw(st.just(len(field)) | wrong)))
    more = draw(st.lists(st.sampled_from(MORE), max_size=2).map(b"".join) | st.binary(max_size=6))
    return b"\x22%s%s%s" % (outer, field, more)


@given(nearly_bodies())
def test_a_large_body_is_what_the_library_finds(data: bytes) -> None:
    expected: Event | None = None
    with suppress(DecodeError, MalformedMessage):
        expected = decode(pb.ProcessingRequest.FromString(data))
    found: Event | None = None
    with pytest.MonkeyPatch.context() as patch, suppress(MalformedMessage):
        patch.setattr(wire, "_LARGE", 0)
        found = decode(parse(data))
    assert found == expected


@pytest.mark.parametrize("end_of_stream", [True, False])
def test_no_message_is_made_of_a_large_body(end_of_stream: bool) -> None:
    body = bytes(2**20)
    message = envoy.ProcessingRequest(
        request_body=envoy.HttpBody(body=body, end_of_stream=end_of_stream),
        metadata_context=core.Metadata(filter_metadata={}),
        observability_mode=True,
    )
    assert parse(bytes(message)) == RequestBody(body)


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
