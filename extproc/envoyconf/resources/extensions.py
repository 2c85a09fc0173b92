"""Configurations of Envoy's extensions: messages of any type inside of others."""

from __future__ import annotations

from betterproto2 import Message, MessagePool
from envoy_data_plane.google.protobuf import Any
from envoy_data_plane.message_pool import default_message_pool


class Packed(Any):
    """One that holds the message itself, where `Any.pack` makes bytes of it.

    What is rendered is JSON, for which those would have to be read again: that takes longer than
    all else.
    """

    def __init__(self, message: Message) -> None:
        super().__init__(type_url=default_message_pool.type_to_url[type(message)])
        self._message = message

    def unpack(self, message_pool: MessagePool | None = None) -> Message:  # noqa: ARG002 - betterproto2's signature
        """Return the message, which must not be changed."""
        return self._message

    def __bytes__(self) -> bytes:
        return bytes(Any.pack(self._message))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Packed) and self._message == other._message

    __hash__ = Any.__hash__

    def __repr__(self) -> str:
        return f"Packed({self._message!r})"
