from __future__ import annotations

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.google.protobuf import Any

from extproc.envoyconf.resources.extensions import Packed

HEADER = core.HeaderValue(key="a", value="b")
OTHER = core.HeaderValue(key="a", value="c")


def test_it_is_what_any_makes_of_a_message() -> None:
    made, usual = (
        core.TypedExtensionConfig(name="x", typed_config=each)
        for each in (Packed(HEADER), Any.pack(HEADER))
    )
    assert made.to_dict() == usual.to_dict()
    assert bytes(made) == bytes(usual)


def test_it_holds_the_message_itself() -> None:
    assert Packed(HEADER).unpack() is HEADER
    assert "key='a'" in repr(Packed(HEADER))


def test_what_holds_equal_messages_is_equal() -> None:
    assert Packed(HEADER) == Packed(core.HeaderValue(key="a", value="b"))
    assert Packed(HEADER) != Packed(OTHER)
    assert Packed(HEADER) != HEADER
