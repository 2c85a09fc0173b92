"""What Envoy is told: commands to serialized ProcessingResponses.

The only place where an ImmediateResponse is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from struct import Struct as Packing
from types import MappingProxyType
from typing import Final

from google.protobuf.struct_pb2 import Struct

from extproc._pb import outerloop_ext_proc_pb2 as pb
from extproc.apis.errors import error_body
from extproc.errors import Reject
from extproc.forwarding import Trail
from extproc.http import NO_METADATA, NO_MUTATIONS, HeaderPairs, Metadata, Mutations
from extproc.names import (
    HEADER_CONFIDENCE,
    HEADER_ERROR,
    HEADER_TRACEPARENT,
    METADATA_CONFIDENCE,
    METADATA_DECISION_MS,
    METADATA_NAMESPACE,
    METADATA_TRACE_ID,
)
from extproc.server.wire.templates import Template
from extproc.stream.commands import Chunk, Command, Finish, Reply, Respond, Slot
from extproc.verdict import Form, Verdict

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
