"""A probe as data: its name, what it does, and what to change where it finds something wrong."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from extproc.doctor.client import Client
from extproc.doctor.envoy.attachment import Attachment
from extproc.doctor.expected import Expected
from extproc.doctor.fixes import Fix
from extproc.doctor.prompts import Prompts
from extproc.doctor.reply import Reply


@dataclass(frozen=True, slots=True)
class Session:
    """What probes work with. `models` is what the gateway answered to `GET /v1/models`.

    `attachments` are where its Envoy asks the processor, as far as that was looked at.
    """

    client: Client
    prompts: Prompts
    expected: Expected
    models: Reply
    attachments: Sequence[Attachment] = ()


class Outcome(enum.StrEnum):
    """What a probe came to. `UNKNOWN`: it ran, and what it saw proves nothing."""

    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome, and what was seen. `fix` stands in for the probe's own."""

    outcome: Outcome
    seen: str
    fix: Fix | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """One question to a gateway.

    `run` may raise `NoReply`. It is not run unless all probes that it `needs` came out ok. One that
    is for `observers` too makes sense where the listener only observes, and so refuses nothing.
    """

    name: str
    run: Callable[[Session], Awaitable[Finding]]
    fix: Fix
    needs: tuple[str, ...] = ()
    observers: bool = False


def ok(seen: str) -> Finding:
    """Return that all is as it should be."""
    return Finding(Outcome.OK, seen)


def wrong(seen: str, fix: Fix | None = None) -> Finding:
    """Return that something must be changed: what `fix` says, or else the probe's own."""
    return Finding(Outcome.WRONG, seen, fix)


def unknown(seen: str) -> Finding:
    """Return that nothing is proven either way."""
    return Finding(Outcome.UNKNOWN, seen)


def skipped(why: str) -> Finding:
    """Return that nothing was asked."""
    return Finding(Outcome.SKIPPED, why)
