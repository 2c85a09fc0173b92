"""Lines over an axis as SVG, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from benchmarks.speed.statistics import Spread

_WIDTH: Final = 640
_HEIGHT: Final = 400
_LEFT: Final = 76
_RIGHT: Final = 24
_TOP: Final = 84
_BOTTOM: Final = 48
"""Margins."""
_LEAST_SPAN: Final = 20.0
"""So that noise does not look like growth."""
_COLOURS: Final = ("#2a78d6", "#d9662b", "#2f9e63", "#8f58c9", "#b8336a")
_STYLE: Final = (
    "text{font:12px system-ui,sans-serif;fill:#444}.title{font-size:15px;font-weight:600}"
    ".grid{stroke:#8884;stroke-width:1}.linear{stroke:#888;stroke-dasharray:4 4;fill:none}"
    "@media(prefers-color-scheme:dark){text{fill:#ccc}}"
)
_UNITS: Final = ((1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True)
class Line:
    """Points in order of x, which is above 0 as their figures are."""

    name: str
    points: Sequence[tuple[float, Spread]]


@dataclass(frozen=True, slots=True)
class _Scale:
    """From a figure to a place, from `first` at `start` to `last` at `end`."""

    first: float
    last: float
    start: float
    end: float

    def at(self, value: float) -> float:
        part = math.log(value / self.first) / math.log(self.last / self.first)
        return self.start + part * (self.end - self.start)

    def ticks(self) -> Iterator[float]:
        """Yield the powers of ten within, and 2 and 5 between them where there are few."""
        low, high = math.floor(math.log10(self.first)), math.ceil(math.log10(self.last))
        steps = (1, 2, 5) if high - low <= 2 else (1,)  # noqa: PLR2004 - decades
        for power in range(low, high + 1):
            for step in steps:
                if self.first <= step * 10.0**power <= self.last * 1.0001:
                    yield step * 10.0**power


def plot(title: str, x_name: str, y_name: str, lines: Sequence[Line]) -> str:
    """Return a picture of lines; the whiskers are from the least to the most.

    The dashed line is linear growth through the last point of the highest line. Raises ValueError
    where there is nothing to show.
    """
    lines = [line for line in lines if line.points]
    if not lines:
        raise ValueError("there are no points")
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, each in line.points for y in (each.least, each.most)]
    across = _Scale(*_around(xs, 1.15), _LEFT, _WIDTH - _RIGHT)
    up = _Scale(*_around(ys, 1.3, _LEAST_SPAN), _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        _text(_LEFT, 22, title, kind="title"),
        *_axes(across, up, x_name, y_name),
        _linear(across, up, max(lines, key=lambda line: line.points[-1][1].median)),
        *(part for number, line in enumerate(lines) for part in _line(line, number, across, up)),
        *_legend(lines),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _around(values: Sequence[float], margin: float, span: float = 1.0) -> tuple[float, float]:
    """Return a range around values whose ends are at least `span` apart, as a ratio."""
    low, high = min(values) / margin, max(values) * margin
    more = max(1.0, math.sqrt(span * low / high))
    return low / more, high * more


def _axes(across: _Scale, up: _Scale, x_name: str, y_name: str) -> Iterator[str]:
    for x in across.ticks():
        at = across.at(x)
        yield f'<path class="grid" d="M{at:.1f} {up.start}V{up.end}"/>'
        yield _text(at, up.start + 18, _short(x), anchor="middle")
    for y in up.ticks():
        at = up.at(y)
        yield f'<path class="grid" d="M{across.start} {at:.1f}H{across.end}"/>'
        yield _text(across.start - 8, at + 4, _short(y), anchor="end")
    yield _text(across.end, up.start + 36, x_name, anchor="end")
    yield _text(8, _TOP - 12, y_name)


def _linear(across: _Scale, up: _Scale, line: Line) -> str:
    x, y = line.points[-1][0], line.points[-1][1].median
    # Down to the left, until it leaves the picture.
    left = max(across.first, x * up.first / y)
    below = y * left / x
    ends = f"M{across.at(left):.1f} {up.at(below):.1f}L{across.at(x):.1f} {up.at(y):.1f}"
    return f'<path class="linear" d="{ends}"/>'


def _line(line: Line, number: int, across: _Scale, up: _Scale) -> Iterator[str]:
    colour = _COLOURS[number % len(_COLOURS)]
    places = [(across.at(x), each) for x, each in line.points]
    path = "L".join(f"{at:.1f} {up.at(each.median):.1f}" for at, each in places)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for at, each in places:
        ends = f"M{at:.1f} {up.at(each.least):.1f}V{up.at(each.most):.1f}"
        yield f'<path d="{ends}" stroke="{colour}" stroke-width="2" opacity=".5"/>'
        yield f'<circle cx="{at:.1f}" cy="{up.at(each.median):.1f}" r="3.5" fill="{colour}"/>'


def _legend(lines: Sequence[Line]) -> Iterator[str]:
    at = float(_LEFT)
    for number, line in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        yield f'<circle cx="{at + 4:.0f}" cy="38" r="4" fill="{colour}"/>'
        yield _text(at + 13, 42, line.name)
        at += 30 + 6.6 * len(line.name)


def _text(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'
    )


def _short(value: float) -> str:
    for size, unit in _UNITS:
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
