"""What the machine wants done: the driver performs each command and decides nothing."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import NamedTuple

from extproc.errors import Reject
from extproc.http import NO_METADATA, NO_MUTATIONS, Answer, HttpRequest, Metadata, Mutations
from extproc.stream.events import Unfinished


class Slot(enum.StrEnum):
    """Which message of Envoy a reply answers."""

    REQUEST_HEADERS = "request_headers"
    REQUEST_BODY = "request_body"
    REQUEST_TRAILERS = "request_trailers"
    RESPONSE_HEADERS = "response_headers"
    RESPONSE_BODY = "response_body"
    RESPONSE_TRAILERS = "response_trailers"

    # Each message is looked up by it: the text's own hash is C.
    __hash__ = str.__hash__


class Screen(NamedTuple):
    """Look at the headers of `request` (its body is to come) and feed `Screened` back."""

    request: HttpRequest


class Decide(NamedTuple):
    """Run the pipeline on `request` and feed `Decided` back before reading on."""

    request: HttpRequest


@dataclass(frozen=True, slots=True)
class Finish:
    """Ask Envoy for the time that `work` may take, do it, and feed `Decided` back."""

    work: Unfinished


class Reply(NamedTuple):
    """Let Envoy go on, with these changes to the message."""

    slot: Slot
    mutations: Mutations = NO_MUTATIONS
    metadata: Metadata = NO_METADATA


@dataclass(frozen=True, slots=True)
class Chunk:
    """Send these bytes of the answer on; `end_of_stream` with its last ones."""

    body: bytes = field(repr=False)
    end_of_stream: bool
    metadata: Metadata = field(default_factory=lambda: NO_METADATA)


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer the client; the request goes no further. `path` chooses the shape of an error."""

    answer: Reject | Answer
    path: str
    metadata: Metadata = field(default_factory=lambda: NO_METADATA)


Command = Screen | Decide | Finish | Reply | Respond
