"""What a line of the access log tells of a request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from extproc.cli.watching.values import number_of

Request = Mapping[str, Any]
"""An object of the access log; see docs/operations.md for its keys. Any value may be anything."""

OK: Final = 200
FIRST_ERROR: Final = 400
FIRST_SERVER_ERROR: Final = 500

_OURS: Final = frozenset({"listener", "status", "request_id"})
_WHOLE: Final = frozenset({"via_upstream", "answered"})
"""`details` of answers that came whole: an agent's, and our own."""
_CLIENT_LEFT: Final = "downstream_"


def parse(line: str) -> Request | None:
    """Return the request, or None where the line is none of the access log's."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if value.keys() >= _OURS else None


def failed(request: Request) -> bool:
    """True for an error's status or code, and for an answer that began and was cut short.

    A client that goes away is no failure, nor is what a filter in shadow would have done.
    """
    status = number_of(request.get("status")) or 0
    if status >= FIRST_ERROR or request.get("error") is not None:
        return True
    outcomes = {outcome for _, outcome in _outcomes(request.get("output_filters"))}
    cut = reason(request)
    return bool(outcomes & {"denied", "failed"} or (cut and not cut.startswith(_CLIENT_LEFT)))


def reason(request: Request) -> str:
    """Return Envoy's reason for an end that was not the usual one, where it adds to the error."""
    details = request.get("details")
    if not isinstance(details, str) or details in _WHOLE or details == request.get("error"):
        return ""
    return details


def agents(request: Request) -> list[str]:
    """Return the plan's agents in their order; without a plan the agent, where there is one."""
    plan = request.get("plan") or request.get("agent")
    return plan.split(",") if isinstance(plan, str) else []


def notable_filters(request: Request) -> Iterator[str]:
    """Yield `filter=outcome` for each that did not just let the request or the answer pass."""
    for key, side in (("filters", ""), ("output_filters", "output ")):
        for name, outcome in _outcomes(request.get(key)):
            if not outcome.endswith("passed"):
                yield f"{side}{name}={outcome}"


def _outcomes(told: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - whatever JSON gives
    for each in told.split(",") if isinstance(told, str) else ():
        name, _, outcome = each.partition("=")
        yield name, outcome
