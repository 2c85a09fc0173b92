from __future__ import annotations

from contextlib import suppress

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.core.v3 import HeaderMap, HeaderValue
from envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 import ProcessingModeBodySendMode
from envoy_data_plane.envoy.service.ext_proc import v3 as envoy
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from extproc._pb import outerloop_ext_proc_pb2 as pb
from extproc.server.wire import requests
from extproc.server.wire.requests import MalformedMessage, decode, parse
from extproc.stream.events import (
    BodyMode,
    Event,
    RequestBody,
    RequestHeaders,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseTrailers,
)


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
        patch.setattr(requests, "_LARGE", 0)
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
