"""Strict JSON that keeps the client's bytes: parsed once, with the place of every member."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A JSON object and the bytes it came from."""

    body: bytes
