"""Envoy's wire format: protobuf messages to events, commands to protobuf messages.

The only module that touches generated code, and the only place an ImmediateResponse is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from struct import Struct as Packing
from types import MappingProxyType
from typing import Final

from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct

from extproc._pb import outerloop_ext_proc_pb2 as pb
from extproc.apis.errors import error_body
from extproc.errors import Reject
from extproc.forwarding import Trail
from extproc.http import NO_METADATA, NO_MUTATIONS, HeaderPairs, Headers, Metadata, Mutations
from extproc.names import (
    ATTRIBUTE_DETAILS,
    HEADER_CONFIDENCE,
    HEADER_ERROR,
    HEADER_TRACEPARENT,
    METADATA_CONFIDENCE,
    METADATA_DECISION_MS,
    METADATA_EXCHANGE,
    METADATA_NAMESPACE,
    METADATA_TRACE_ID,
)
from extproc.server.templates import Template
from extproc.stream.commands import Chunk, Command, Finish, Reply, Respond, Slot
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
from extproc.verdict import Form, Verdict

MAX_MESSAGE_OVERHEAD: Final = 2**20
"""Bytes a message may have beyond the body it carries: headers and framing."""

_LARGE: Final = 256 * 2**10
"""Bytes of a message from which it is worth looking for a body in it by ourselves."""
_BODY: Final = re.compile(rb"\x22([\x80-\xff]{0,3}[\x00-\x7f])\x0a([\x80-\xff]{0,3}[\x00-\x7f])")
"""How a message with a `request_body` begins: its tag and length, and those of the `body`."""
_AFTER_BODY: Final = frozenset({b"", b"\x10\x01"})
"""Nothing, or `end_of_stream`."""

_TRAILERS: Final = frozenset({Slot.REQUEST_TRAILERS, Slot.RESPONSE_TRAILERS})
_TEMPLATES: Final = 4096
"""Kept: as many as there are forms of verdicts."""

_SAMPLE_HEADERS: Final = {
    HEADER_CONFIDENCE: "\x01\x02\x03\x04",
    HEADER_TRACEPARENT: "\x05" * 54 + "\x06",
}
_SAMPLE_METADATA: Final[Metadata] = {
    METADATA_TRACE_ID: "\x07" * 31 + "\x08",
    METADATA_DECISION_MS: 2.2e-300,
    METADATA_CONFIDENCE: 3.3e-301,
}
"""In place of what differs, by requests, in the messages that tell one form of verdicts."""

_double: Final = Packing("<d").pack

_NOTHING_ELSE: Final = Mutations(reroute=True)[:-1]
_OVERWRITE: Final = pb.OVERWRITE_IF_EXISTS_OR_ADD


class MalformedMessage(Exception):
    """Bytes that are no ProcessingRequest, or one without a phase."""


def parse(data: bytes) -> pb.ProcessingRequest | RequestBody:
    """Return one serialized message of Envoy. Raises `MalformedMessage`.

    A large body is not held once more, within a message: it is the event already.
    """
    try:
        body = _body(data) if len(data) >= _LARGE else None
        return pb.ProcessingRequest.FromString(data) if body is None else body
    except DecodeError as error:
        raise MalformedMessage("not a ProcessingRequest") from error


def _body(data: bytes) -> RequestBody | None:
    """Return the body that a message is, None where that is not plain. Raises DecodeError.

    Two messages written one after the other are one with the fields of both: so it is a body where
    it begins with one, as Envoy's do, and what follows is of no phase.
    """
    begins = _BODY.match(data)
    if begins is None:
        return None
    end, last = begins.end(1) + _varint(begins[1]), begins.end() + _varint(begins[2])
    if not last <= end <= len(data) or data[last:end] not in _AFTER_BODY:
        return None
    if pb.ProcessingRequest.FromString(data[end:]).WhichOneof("request") is not None:
        return None
    return RequestBody(data[begins.end() : last])


def _varint(written: bytes) -> int:
    return sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(written))


def decode(message: pb.ProcessingRequest | RequestBody) -> Event:
    """Return the event that a message is. Raises `MalformedMessage`."""
    return message if isinstance(message, RequestBody) else _event(message)


def _event(message: pb.ProcessingRequest) -> Event:
    phase = message.WhichOneof("request")
    if phase == "request_body":
        return RequestBody(message.request_body.body)
    if phase == "request_headers":
        return _request_headers(message)
    if phase == "response_headers":
        return _response_headers(message)
    if phase == "response_body":
        return ResponseBody(message.response_body.body, message.response_body.end_of_stream)
    if phase == "request_trailers":
        return RequestTrailers()
    if phase == "response_trailers":
        return ResponseTrailers()
    raise MalformedMessage("a ProcessingRequest without a phase")


def _request_headers(message: pb.ProcessingRequest) -> RequestHeaders:
    sent = message.request_headers
    mode = _body_mode(message, "request_body_mode")
    return RequestHeaders(_headers(sent), sent.end_of_stream, mode)


def _response_headers(message: pb.ProcessingRequest) -> ResponseHeaders:
    sent = message.response_headers
    return ResponseHeaders(
        headers=_headers(sent),
        end_of_stream=sent.end_of_stream,
        body_mode=_body_mode(message, "response_body_mode"),
        details=_text(message.attributes.values(), ATTRIBUTE_DETAILS),
        exchange=_text(
            (
                struct
                for name, struct in message.metadata_context.filter_metadata.items()
                if name == METADATA_NAMESPACE
            ),
            METADATA_EXCHANGE,
        ),
    )


def _text(structs: Iterable[Struct], name: str) -> str | None:
    """Return the text under a name in the first struct that has it."""
    return next((each.fields[name].string_value for each in structs if name in each.fields), None)


def _headers(sent: pb.HttpHeaders) -> Headers:
    return Headers(
        tuple(
            [
                (header.key, (header.raw_value or header.value).decode("latin-1"))
                for header in sent.headers.headers
            ]
        )
    )


def _body_mode(message: pb.ProcessingRequest, name: str) -> BodyMode | None:
    if not message.HasField("protocol_config"):
        return None
    mode = _BODY_MODES.get(getattr(message.protocol_config, name))
    if mode is None:
        raise MalformedMessage(f"a {name} that is not known")
    return mode


# Asking the enum itself costs ten times as much.
_BODY_MODES: Final[Mapping[int, BodyMode]] = MappingProxyType({int(m): m for m in BodyMode})


def encode(command: Command | Chunk) -> bytes:
    """Return the serialized ProcessingResponse of a command.

    Raises TypeError for one that is not for Envoy.
    """
    if isinstance(command, Reply):
        return _reply(command)
    if isinstance(command, Respond):
        return _immediate(command)
    if isinstance(command, Chunk):
        return _chunk(command)
    if isinstance(command, Finish):
        return _extend(command.work.timeout)
    raise TypeError(f"{type(command).__name__} is no message")


def _reply(command: Reply) -> bytes:
    mutations, metadata = command.mutations, command.metadata
    if mutations is NO_MUTATIONS and not metadata:
        return _UNCHANGED[command.slot]
    verdict = mutations.verdict
    if verdict is None:
        return _serialized(command.slot, mutations, mutations.set_headers, metadata)
    alone = mutations[:-1] == _NOTHING_ELSE and not metadata
    return (_told(command.slot, verdict) if alone else None) or _serialized(
        command.slot, mutations, mutations.headers, {**verdict.metadata, **metadata}
    )


def _serialized(
    slot: Slot, mutations: Mutations, headers: HeaderPairs, metadata: Metadata
) -> bytes:
    response = pb.ProcessingResponse()
    getattr(response, slot).SetInParent()
    _mutate(response, slot, mutations, headers)
    _set_metadata(response.dynamic_metadata, metadata)
    return response.SerializeToString()


def _told(slot: Slot, verdict: Verdict) -> bytes | None:
    """Return the message that tells a verdict and no more; None where it has unusual values."""
    confidence, trail = verdict.confidence, verdict.trail
    return _template(slot, verdict.form, trail.loops).fill(
        b"%.2f" % confidence,
        trail.traceparent.encode("latin-1"),
        trail.trace_id.encode(),
        _double(round(verdict.milliseconds, 3)),
        _double(round(confidence, 4)),
    )


@lru_cache(_TEMPLATES)
def _template(slot: Slot, form: Form, loops: int) -> Template:
    verdict = Verdict(form, 0.0, 0.0, Trail("", loops))
    headers = tuple((name, _SAMPLE_HEADERS.get(name, value)) for name, value in verdict.headers)
    metadata: Metadata = {**verdict.metadata, **_SAMPLE_METADATA}
    samples = (*_SAMPLE_HEADERS.values(), *_SAMPLE_METADATA.values())
    return Template(
        _serialized(slot, Mutations(reroute=True), headers, metadata),
        [each.encode() if isinstance(each, str) else _double(each) for each in samples],
    )


def _mutate(
    response: pb.ProcessingResponse, slot: Slot, mutations: Mutations, headers: HeaderPairs
) -> None:
    if slot in _TRAILERS:
        _set_headers(getattr(response, slot).header_mutation, headers, mutations.remove_headers)
        return
    common = getattr(response, slot).response
    if headers or mutations.remove_headers:
        _set_headers(common.header_mutation, headers, mutations.remove_headers)
    if mutations.reroute:
        common.clear_route_cache = True
    if mutations.body is not None:
        common.body_mutation.body = mutations.body
        # Envoy answers 500 to a replaced body whose content-length is not replaced with it.
        _set_header(common.header_mutation, "content-length", str(len(mutations.body)))


def _set_metadata(target: Struct, metadata: Metadata) -> None:
    if not metadata:
        return
    fields = target.fields[METADATA_NAMESPACE].struct_value.fields
    for name, value in metadata.items():
        if isinstance(value, bool):
            fields[name].bool_value = value
        elif isinstance(value, str):
            fields[name].string_value = value
        else:
            fields[name].number_value = value


def _set_headers(target: pb.HeaderMutation, headers: HeaderPairs, removed: tuple[str, ...]) -> None:
    for name, value in headers:
        _set_header(target, name, value)
    target.remove_headers.extend(removed)


def _set_header(target: pb.HeaderMutation, name: str, value: str) -> None:
    header = target.set_headers.add(append_action=_OVERWRITE).header
    header.key = name
    header.raw_value = value.encode("latin-1")


_UNCHANGED: Final[Mapping[Slot, bytes]] = MappingProxyType(
    {slot: _serialized(slot, NO_MUTATIONS, (), NO_METADATA) for slot in Slot}
)


def _chunk(command: Chunk) -> bytes:
    response = pb.ProcessingResponse()
    streamed = response.response_body.response.body_mutation.streamed_response
    streamed.body = command.body
    streamed.end_of_stream = command.end_of_stream
    _set_metadata(response.dynamic_metadata, command.metadata)
    return response.SerializeToString()


def _extend(seconds: float) -> bytes:
    response = pb.ProcessingResponse()
    response.override_message_timeout.FromNanoseconds(int(seconds * 1e9))
    return response.SerializeToString()


def _immediate(command: Respond) -> bytes:
    answer = command.answer
    if isinstance(answer, Reject):
        headers = ((HEADER_ERROR, answer.code), *answer.headers)
        body, details = error_body(command.path, answer), answer.code
    else:
        headers, body, details = (), answer.body, "answered"
    response = pb.ProcessingResponse()
    immediate = response.immediate_response
    immediate.status.code = answer.status
    immediate.body = body
    immediate.details = details
    _set_header(immediate.headers, "content-type", "application/json")
    for name, value in headers:
        _set_header(immediate.headers, name, value)
    _set_metadata(response.dynamic_metadata, command.metadata)
    return response.SerializeToString()
