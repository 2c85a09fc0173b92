"""Our own log lines: one format, on standard error."""

from __future__ import annotations

import logging
import sys
from typing import Final

_GRPC: Final = "grpc._cython.cygrpc"
_CALLER_GONE: Final = "ExecuteBatchError"

LEVELS: Final = ("debug", "info", "warning", "error")


def configure(level: str) -> None:
    """Log at `level` (one of `LEVELS`) and above. Never logs prompts or secrets at any level."""
    logging.basicConfig(
        stream=sys.stderr,
        level=level.upper(),
        format="%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s",
        force=True,
    )
    # Libraries' debug lines may quote what passes through them.
    for library in ("grpc", "aiohttp", "asyncio"):
        logging.getLogger(library).setLevel(max(logging.WARNING, logging.getLogger().level))
    # These quote messages at every level, in tracebacks too; what went wrong we log ourselves.
    for library in ("mcp", "httpx2"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    logging.getLogger(_GRPC).addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether a line says more than that a caller hung up while it was being answered.

    gRPC's server takes that for a fault of the method, and logs it with a traceback.
    """
    error = record.exc_info[0] if record.exc_info else None
    return error is None or error.__name__ != _CALLER_GONE
