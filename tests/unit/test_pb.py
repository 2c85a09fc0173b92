"""The generated code, beside Envoy's own messages."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.core.v3 import HeaderValueOptionHeaderAppendAction as Append
from envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 import ProcessingModeBodySendMode
from envoy_data_plane.envoy.service.ext_proc import v3 as envoy
from envoy_data_plane.envoy.type import v3 as envoy_type
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from extproc._pb import SOURCE_SHA256
from extproc._pb import outerloop_ext_proc_pb2 as pb


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
    source = Path(__file__).parents[2] / "proto" / "outerloop_ext_proc.proto"
    assert hashlib.sha256(source.read_bytes()).hexdigest() == SOURCE_SHA256, "run make proto"


def test_enums_are_envoys() -> None:
    assert dict(pb.HeaderAppendAction.items()) == {item.name: item.value for item in Append}
    assert dict(pb.BodySendMode.items()) == {
        item.name: item.value for item in ProcessingModeBodySendMode
    }
