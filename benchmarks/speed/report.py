"""A run as Markdown, with its pictures beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.speed import results
from benchmarks.speed.cases import Series
from benchmarks.speed.measuring import DECISIONS, Measured
from benchmarks.speed.plots import Line, plot
from benchmarks.speed.requests import KIB, MIB
from benchmarks.speed.results import Figure, Run, base_of, compared, cpu, of
from benchmarks.speed.statistics import Spread, spread
from benchmarks.speed.targets import targets

_HOW: Final = (
    "Medians of the rounds (least - most); a ratio is that of figures of the same round. CPU is "
    "that of a process for each request. `benchmarks/README.md` says how to read it."
)
_ROLES: Final = ("envoy", "processor", DECISIONS, "peer")
_NOTHING: Final = "-"


@dataclass(frozen=True, slots=True)
class _Picture:
    """A figure over a series' axis; None: the processor's memory at the peak."""

    series: str
    name: str
    title: str
    unit: str
    figure: Figure | None = None


_CPU: Final = ("µs of CPU a request", cpu("processor"))
_PICTURES: Final = (
    _Picture("agents", "cpu", "Processor CPU by agents", *_CPU),
    _Picture("agents", "envoy", "Envoy CPU by agents", "µs of CPU a request", cpu("envoy")),
    _Picture("concurrency", "rate", "Throughput by connections", "requests/s", results.rate),
    _Picture("concurrency", "p50", "Latency by connections", "p50, ms", results.p50),
    _Picture("bodies", "cpu", "Processor CPU by size of the request", *_CPU),
    _Picture("bodies", "p50", "Latency by size of the request", "p50, ms", results.p50),
    _Picture("bodies", "memory", "Processor memory by size of the request", "MiB more at the peak"),
    _Picture("messages", "cpu", "Processor CPU by messages", *_CPU),
    _Picture("streams", "cpu", "Processor CPU by events of the answer", *_CPU),
    _Picture("waiting", "memory", "Processor memory by waiting requests", "MiB more at the peak"),
)


def write(run: Run, folder: Path) -> Path:
    """Write a run's Markdown, JSON and pictures; return the Markdown's file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(run.as_json(), encoding="utf-8")
    drawn = []
    for series, found in run.series:
        for picture in _PICTURES:
            lines = _lines(picture, found) if picture.series == series.name else []
            # One point is no line.
            if any(len(line.points) > 1 for line in lines):
                drawn.append(f"{picture.series}-{picture.name}.svg")
                text = plot(picture.title, series.axis, picture.unit, lines)
                (folder / drawn[-1]).write_text(text, encoding="utf-8")
    file = folder / "results.md"
    file.write_text("\n".join(_markdown(run, drawn)) + "\n", encoding="utf-8")
    return file


def _lines(picture: _Picture, found: Sequence[Measured]) -> list[Line]:
    points: dict[str, list[tuple[float, Spread]]] = {}
    for each in sorted(found, key=lambda each: each.variant.x):
        if picture.figure is None:
            value = spread([results.beyond(each, "processor") / MIB])
        else:
            value = of(each, picture.figure)
        # Nothing, or no such process, has no place on a logarithmic axis.
        if value.least > 0:
            points.setdefault(each.variant.line, []).append((each.variant.x, value))
    return [Line(name, of_line) for name, of_line in points.items()]


def _markdown(run: Run, pictures: Sequence[str]) -> Iterator[str]:
    yield f"# `{run.command}`\n\n{_HOW}\n"
    yield from _table(("", ""), [(name, value) for name, value in run.machine.items()])
    yield from _targets(run)
    faults = list(run.faults())
    if faults:
        yield "\n## Faults\n"
        yield from (f"- {fault}" for fault in faults)
    for series, found in run.series:
        yield f"\n## {series.title}\n\n{series.says}\n"
        yield from _series(series, found)
        for name in pictures:
            if name.startswith(f"{series.name}-"):
                yield f"\n![{name.removesuffix('.svg')}]({name})"
    yield from _decisions(run)
    yield from _streams(run)
    yield from _starts(run)
    if run.notes:
        yield "\n## Notes\n"
        yield from (f"- {note}" for note in run.notes)


def _targets(run: Run) -> Iterator[str]:
    found = targets(run)
    if not found:
        return
    yield "\n## Targets\n"
    rows = [
        (
            each.what,
            _number(each.value),
            f"{'at least' if each.least else 'at most'} {_number(each.limit)}",
            "yes" if each.met else "**no**",
        )
        for each in found
    ]
    yield from _table(("What", "Found", "Should be", "Met"), rows)


def _series(series: Series, found: Sequence[Measured]) -> Iterator[str]:
    roles = [role for role in _ROLES if any(role in turn.cpu for m in found for turn in m.turns)]
    columns: dict[str, list[str]] = {"Case": [each.variant.line for each in found]}
    if series.axis:
        columns[series.axis.capitalize()] = [f"{each.variant.x:,}" for each in found]
    figures: dict[str, Figure] = {
        "requests/s": results.rate,
        "p50 ms": results.p50,
        "p99 ms": results.p99,
        **{f"{role.capitalize()} µs": cpu(role) for role in roles},
    }
    for name, figure in figures.items():
        columns[name] = [_spread(of(each, figure)) for each in found]
    bases = [(each, base_of(series, found, each)) for each in found]
    for name, figure in (("requests/s", results.rate), ("Processor", cpu("processor"))):
        ratios = [_ratio(each, base, figure) for each, base in bases]
        if any(ratio != _NOTHING for ratio in ratios):
            columns[f"{name} / {series.base}"] = ratios
    columns["Processor MiB"] = [_memory(each) for each in found]
    yield from _table(tuple(columns), list(zip(*columns.values(), strict=True)))


def _memory(each: Measured) -> str:
    """Tell what the processor held at the peak, and in brackets how much more that is."""
    if not (peak := results.peak(each, "processor")):
        return _NOTHING
    return f"{peak / MIB:.0f} ({results.beyond(each, 'processor') / MIB:+.1f})"


def _decisions(run: Run) -> Iterator[str]:
    if run.decisions is None:
        return
    yield (
        "\n## The decision alone\n\nThe embedded strategy and the parsing of the request, without "
        "gRPC and Envoy: medians of several processes.\n"
    )
    shown = ("cpu_us", "p50_ms", "p99_ms")
    rows = [
        (
            f"{agents:,}",
            f"{size:,}",
            *(_number(found[each]) for each in shown),
        )
        for (agents, size), found in run.decisions.figures.items()
    ]
    heads = ("Agents", "Bytes", "CPU µs", "p50 ms", "p99 ms")
    yield from _table(heads, rows)


def _streams(run: Run) -> Iterator[str]:
    streams = run.streams
    if streams is None:
        return
    yield "\n## Streams, one by one\n"
    rows = [
        (line, _spread(spread(streams.first_event[line])), _spread(spread(streams.rate[line])))
        for line in streams.first_event
    ]
    yield from _table(("Case", "first event, ms", "MiB/s from then on"), rows)
    yield (
        f"\nEnvoy sent the processor {streams.before} messages for one stream until its first "
        f"event, and {streams.after} from then to its end."
    )


def _starts(run: Run) -> Iterator[str]:
    if not run.starts:
        return
    yield "\n## Starting, and reloading\n"
    yield "\nFrom the command to `is ready`; from the changed file to an answer of a new agent.\n"
    rows = [
        (
            f"{each.agents:,}",
            *(_spread(spread(times)) for times in (each.start, each.reload)),
            *(_number(each.memory[role] / MIB) for role in ("envoy", "processor", "supervisor")),
        )
        for each in run.starts
    ]
    head = ("Agents", "start, s", "reload, s", "Envoy MiB", "processor MiB", "supervisor MiB")
    yield from _table(head, rows)


def _ratio(each: Measured, base: Measured | None, figure: Figure) -> str:
    if base is None or not of(base, figure).least or not of(each, figure).least:
        return _NOTHING
    return _spread(compared(each, base, figure))


def _spread(figure: Spread) -> str:
    if not figure.most:
        return _NOTHING
    median, least, most = map(_number, (figure.median, figure.least, figure.most))
    return median if least == most else f"{median} ({least} - {most})"


def _number(value: float) -> str:
    if value and abs(value) < 10:  # noqa: PLR2004 - two digits after the point are enough
        return f"{value:.2f}"
    return f"{value:,.1f}" if abs(value) < KIB / 10 else f"{value:,.0f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"
