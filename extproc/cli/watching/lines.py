"""Requests as lines for a person: columns first, then what is worth telling of this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final, NamedTuple

import click
from rich.cells import cell_len

from extproc.cli.watching import requests
from extproc.cli.watching.requests import Request
from extproc.cli.watching.values import clock, duration, figure, number_of, text_of

_WIDTHS: Final = (12, 3, len("POST /v1/chat/completions"), 0, 0, 8, 4, 7, 14)
"""Cells that columns have from the start, so that few lines move those that follow."""
_WIDEST: Final = 28
"""One long name does not move them all."""


class _Part(NamedTuple):
    text: str
    style: str = ""
    right: bool = False


class Layout:
    """Writes requests, a line each. Columns are as wide as what came so far needs.

    The date stands only with what is not of `today`, in local time.
    """

    def __init__(self, *, colour: bool, today: date) -> None:
        self._colour = colour
        self._today = today
        self._widths: tuple[int, ...] = _WIDTHS

    def lines(self, shown: Iterable[Request | str]) -> Iterator[str]:
        """Yield the lines of requests that are shown together, and between them texts as they are.

        They have no control characters but those of colours.
        """
        rows = [
            each if isinstance(each, str) else (tuple(_columns(each, self._today)), each)
            for each in shown
        ]
        for row in rows:
            if not isinstance(row, str):
                self._widths = tuple(map(_wider, self._widths, row[0]))
        for row in rows:
            yield row if isinstance(row, str) else self._line(*row)

    def _line(self, columns: Iterable[_Part], request: Request) -> str:
        aligned = map(self._aligned, columns, self._widths)
        rest = map(self._styled, _rest(request))
        return "  ".join(filter(None, (*aligned, *rest))).rstrip()

    def _aligned(self, part: _Part, width: int) -> str:
        blanks = " " * (width - cell_len(part.text))
        styled = self._styled(part)
        return blanks + styled if part.right else styled + blanks

    def _styled(self, part: _Part) -> str:
        if not (self._colour and part.style and part.text):
            return part.text
        if part.style == "dim":
            return click.style(part.text, dim=True)
        return click.style(part.text, fg=part.style)


def _wider(width: int, part: _Part) -> int:
    return max(width, min(cell_len(part.text), _WIDEST))


def _columns(request: Request, today: date) -> Iterator[_Part]:
    confidence = number_of(request.get("confidence"))
    took, first = (number_of(request.get(key)) for key in ("duration_ms", "first_byte_ms"))
    yield _Part(clock(text_of(request.get("time")), today), "dim")
    yield _Part(text_of(request.get("status")), _status_style(request), right=True)
    yield _Part(f"{text_of(request.get('method'))} {text_of(request.get('path'))}")
    yield _Part(text_of(request.get("listener")))
    yield _Part(text_of(">".join(requests.agents(request))), "cyan")
    yield _Part(text_of(request.get("source")))
    yield _Part("" if confidence is None else figure(confidence, 2), right=True)
    yield _Part("" if took is None else duration(took), right=True)
    yield _Part("" if first is None else f"(first {duration(first)})", "dim", right=True)


def _rest(request: Request) -> Iterator[_Part]:
    if variant := text_of(request.get("variant")):
        yield _Part(f"variant={variant}")
    attempts = number_of(request.get("attempts"))
    if attempts is not None and attempts > 1:
        yield _Part(f"attempts={figure(attempts)}", "yellow")
    for told in requests.notable_filters(request):
        yield _Part(text_of(told), "yellow")
    error, reason = text_of(request.get("error")), text_of(requests.reason(request))
    if error or reason:
        told = f"{error} ({reason})" if error and reason else error or reason
        yield _Part(told, "red" if requests.failed(request) else "yellow")
    yield _Part(text_of(request.get("request_id")), "dim")


def _status_style(request: Request) -> str:
    status = number_of(request.get("status"))
    if status is None:
        return ""
    if status >= requests.FIRST_SERVER_ERROR:
        return "red"
    # Without an answer (0) a client has left.
    return "green" if requests.OK <= status < requests.FIRST_ERROR else "yellow"
