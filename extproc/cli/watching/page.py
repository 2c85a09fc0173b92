"""What `outerloop top` shows, as lines: made of one look, and of the one before it for rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from extproc.cli.watching import sections
from extproc.cli.watching.look import Look
from extproc.cli.watching.rates import Rates
from extproc.cli.watching.values import figure, local, text_of

_SHOWN_ONCE: Final = 10
"""Decisions where no height says how many."""
_ENOUGH: Final = 6
"""Lines of a section below which it is of little use: a blank one, titles and four more."""
_FIRST_TO_GO: Final = (0, 2, 3)
"""Sections by what they matter, least first: listeners, filters, decisions. Agents stay."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of a terminal, in cells."""

    width: int
    height: int


def page(
    look: Look, before: Look | None = None, size: Size | None = None, trouble: str = ""
) -> list[Text]:
    """Return the lines that fit `size`, without one all but the older decisions.

    `trouble` says why there is no newer look.
    """
    width = size.width if size else None
    decisions = look.decisions[: size.height if size else _SHOWN_ONCE]
    rates = Rates(look, before if not trouble else None)
    parts = [
        sections.listeners(look.listeners, rates, width),
        sections.agents(look.agents, rates, width),
        sections.filters(look.filters, rates, width),
        sections.decisions(decisions, look.time, width),
    ]
    lines = _header(look, rates, trouble)
    if size:
        parts = _fitting(parts, size.height - len(lines))
    for part in parts:
        lines += [Text(), *part] if part else []
    if size:
        for line in lines:
            line.truncate(size.width, overflow="ellipsis")
        lines = lines[: size.height]
    return lines


def _header(look: Look, rates: Rates, trouble: str) -> list[Text]:
    ready = sum(each == "ready" for each in look.workers)
    rate = rates.of("requests")
    first = Text.assemble("outerloop  ", _status(look, trouble))
    first.append(f"  generation {look.generation}  ")
    first.append(
        f"workers {ready}/{len(look.workers)}", "" if ready == len(look.workers) else "red"
    )
    if rate is not None:
        first.append(f"  {figure(rate, 1)} req/s")
    first.append(f"  {figure(look.inflight)} in flight")
    first.append(f"  {look.version}", "dim")
    outcomes = ", ".join(f"{figure(count)} {name}" for name, count in look.outcomes.items())
    lines = [first, Text(f"{figure(look.requests)} requests: {outcomes}")]
    if trouble:
        answered = local(look.time)
        since = f"; last answer {answered:%H:%M:%S}" if answered else ""
        lines.insert(1, Text(f"{text_of(trouble)} (asking on{since})", "red"))
    if look.faults:
        more = f" (and {len(look.faults) - 1} more)" if len(look.faults) > 1 else ""
        lines.append(Text(f"the last reload was rejected: {look.faults[0]}{more}", "red"))
    return lines


def _status(look: Look, trouble: str) -> tuple[str, str]:
    if trouble:
        return "no answer", "bold red"
    return look.status, "bold green" if look.status == "ready" else "bold yellow"


def _fitting(parts: Sequence[list[Text]], room: int) -> list[list[Text]]:
    """Leave out what matters least until the rest has room enough, and cut that."""
    kept = list(parts)
    for least in (*_FIRST_TO_GO, None):
        wanted = [len(part) + 1 if part else 0 for part in kept]
        lengths = _shared(wanted, room)
        enough = (
            length >= min(want, _ENOUGH) for want, length in zip(wanted, lengths, strict=True)
        )
        if least is None or all(enough):
            break
        kept[least] = []
    *tables, decisions = kept
    return [*map(_cut, tables, lengths), decisions[: max(lengths[-1] - 1, 0)]]


def _shared(wanted: Sequence[int], room: int) -> list[int]:
    """Share the lines: the last section gives way first, to what is enough, then the longest."""
    lengths = list(wanted)
    spare = max(lengths[-1] - _ENOUGH, 0)
    lengths[-1] -= min(spare, max(sum(lengths) - room, 0))
    while sum(lengths) > max(room, 0):
        lengths[lengths.index(max(lengths))] -= 1
    return lengths


def _cut(part: list[Text], length: int) -> list[Text]:
    """Cut a section to `length` lines, the blank one before it among them, and say so."""
    if len(part) < length or not part:
        return part
    shown = part[: max(length - 2, 0)]
    return [*shown, Text(f"... {len(part) - len(shown)} more", "dim")] if shown else []
