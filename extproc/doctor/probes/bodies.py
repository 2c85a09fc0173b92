"""Do bodies come through up to the limit of the file, and no further?"""

from __future__ import annotations

from typing import Final

from extproc import names
from extproc.config.model.types import size_text
from extproc.doctor import fixes
from extproc.doctor.client import NoReply, TooLate
from extproc.doctor.probe import Finding, Probe, Session, ok, skipped, unknown, wrong
from extproc.doctor.requests import Filler

_KIB: Final = 2**10
_LIMITS_OF_OTHERS: Final = (2**20 + 64 * _KIB, 2**22 + 64 * _KIB)
"""Bytes: a little more than the defaults of Envoy's buffers and of gRPC's messages."""

_LARGEST: Final = 64 * 2**20
"""Bytes that are sent at most: a gateway in production has other things to do."""


async def _reach_their_limit(session: Session) -> Finding:
    """Send bodies that break off at their end, of growing size: the processor must refuse them."""
    limit = session.expected.max_request_bytes
    sizes = [size for size in _LIMITS_OF_OTHERS if limit is None or size < limit]
    if limit is not None and limit <= _LARGEST:
        sizes.append(limit)
    for size in sizes:
        finding = await _refused_by_the_processor(session, size)
        if finding is not None:
            return finding
    return ok(f"{_told(sizes[-1])} come through")


async def _refused_by_the_processor(session: Session, size: int) -> Finding | None:
    sent = f"a body of {_told(size)}"
    try:
        reply = await session.client.post(names.PATH_CHAT, Filler(size))
    except TooLate as error:
        return unknown(f"{sent}: {error}")
    except NoReply as error:
        # Smaller ones were answered.
        return wrong(f"{sent}: {error}")
    seen = f"{sent}: {reply}"
    if reply.refuses(400, "invalid_request"):
        return None
    if reply.status in {408, 504}:
        return unknown(f"{seen} after {reply.seconds:.1f} s; see timeout")
    if session.expected.max_request_bytes is None:
        return wrong(f"{seen}; all is well only where limits.max_request_bytes is that low (-c)")
    return wrong(seen)


async def _end_at_their_limit(session: Session) -> Finding:
    """Send one byte too many."""
    limit = session.expected.max_request_bytes
    if limit is None:
        return skipped("the limit is not known: give -c")
    if limit >= _LARGEST:
        return skipped(f"the limit is {size_text(limit)}: too much to send")
    reply = await session.client.post(names.PATH_CHAT, Filler(limit + 1))
    seen = f"a body of {_told(limit + 1)}: {reply}"
    if reply.status == 413:  # noqa: PLR2004 - what it must be
        return ok(seen)
    if reply.status in {408, 504}:
        return unknown(seen)
    return wrong(seen)


def _told(size: int) -> str:
    return f"{size / _KIB:,.0f} KiB" if size % _KIB == 0 else f"{size:,} bytes"


REACHING = Probe("body-limit", _reach_their_limit, fixes.BODIES, needs=("processor", "errors"))
ENDING = Probe(
    "body-over-limit", _end_at_their_limit, fixes.UNBOUNDED, needs=("processor", "body-limit")
)
