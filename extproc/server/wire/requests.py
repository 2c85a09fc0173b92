"""What Envoy says: serialized ProcessingRequests to events."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct

from extproc._pb import outerloop_ext_proc_pb2 as pb
from extproc.http import Headers
from extproc.names import ATTRIBUTE_DETAILS, METADATA_EXCHANGE, METADATA_NAMESPACE
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

MAX_MESSAGE_OVERHEAD: Final = 2**20
"""Bytes a message may have beyond the body it carries: headers and framing."""

_LARGE: Final = 256 * 2**10
"""Bytes of a message from which it is worth looking for a body in it by ourselves."""
_BODY: Final = re.compile(rb"\x22([\x80-\xff]{0,3}[\x00-\x7f])\x0a([\x80-\xff]{0,3}[\x00-\x7f])")
"""How a message with a `request_body` begins: its tag and length, and those of the `body`."""
_AFTER_BODY: Final = frozenset({b"", b"\x10\x01"})
"""Nothing, or `end_of_stream`."""


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
