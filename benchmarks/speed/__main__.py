"""Run the cases and write what was found; see ../README.md."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

from benchmarks.speed import cases, decisions, load, report, stacks, starting, streaming
from benchmarks.speed.machine import describe
from benchmarks.speed.measuring import Bench, Plan, measure
from benchmarks.speed.processes import NotStarted
from benchmarks.speed.results import Run
from benchmarks.speed.targets import targets

RESULTS: Final = Path(__file__).parents[1] / "results"
_DECIDING: Final = "deciding"
_STARTING: Final = "starting"
_NAMES: Final = (*(series.name for series in cases.ALL), _DECIDING, _STARTING)
NOT_STARTED: Final = 3


def main() -> int:
    """Return 0, 1 where something failed on the way, or 3 where nothing could be measured."""
    options = _options()
    signal.signal(signal.SIGTERM, stop)
    try:
        load.require()
        run = _run(options)
    except NotStarted as error:
        sys.stderr.write(f"{error}\n")
        return NOT_STARTED
    file = report.write(run, options.output or (RESULTS / "quick" if options.quick else RESULTS))
    for target in targets(run):
        print(f"{'met ' if target.met else 'NOT '} {target.value:10.2f}  {target.what}")
    faults = list(run.faults())
    for fault in faults:
        print(f"fault: {fault}")
    print(f"written to {file.parent}")
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few points, one round, two minutes")
    parser.add_argument("--only", nargs="+", choices=_NAMES, default=_NAMES, metavar="SERIES")
    parser.add_argument("--rounds", type=int, help="turns of each variant (5; quick: 1)")
    parser.add_argument("--window", type=int, help="whole seconds of each turn (4; quick: 1)")
    parser.add_argument("--output", type=Path, help="folder to write to (benchmarks/results)")
    return parser.parse_args()


def stop(_signal: int, _frame: FrameType | None) -> None:
    """End as an error does, so that what was started is ended."""
    raise SystemExit(NOT_STARTED)


def _run(options: argparse.Namespace) -> Run:
    quick: bool = options.quick
    plan = Plan(
        rounds=options.rounds or (1 if quick else 5),
        window=options.window or (1 if quick else 4),
        connections=load.allow_connections(),
        quick=quick,
    )
    run = Run(describe(), " ".join(("python -m benchmarks.speed", *sys.argv[1:])))
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with stacks.upstreams(folder) as upstream:
            bench = Bench(plan, upstream, folder, stacks.start, progress())
            for series in cases.ALL:
                if series.name in options.only:
                    with run.going_on(series.name):
                        run.series.append((series, measure(series, bench)))
                    run.notes += _left_out(series, plan)
            if cases.STREAMS.name in options.only:
                with run.going_on("streams, one by one"):
                    run.streams = streaming.look(bench, 5 if quick else 30)
            if _DECIDING in options.only:
                numbers, count, tries = ((10, 100), 200, 1) if quick else ((10, 100, 1000), 1000, 5)
                with run.going_on(_DECIDING):
                    run.decisions = decisions.look(bench, numbers, count, tries)
            if _STARTING in options.only:
                counts, tries = ((1, 20), 1) if quick else ((1, 100, 1000), 3)
                with run.going_on(_STARTING):
                    run.starts = starting.look(bench, counts, tries)
    return run


def progress() -> Callable[[str], None]:
    """Return what tells a person how far a run is."""
    began = time.monotonic()

    def tell(what: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {what}", flush=True)

    return tell


def _left_out(series: cases.Series, plan: Plan) -> list[str]:
    return [
        f"{series.name}: {variant.load.connections} connections were left out, as this machine "
        f"allows {plan.connections}: ulimit -n"
        for variant in series.variants
        if variant.load.connections > plan.connections
    ]


if __name__ == "__main__":
    sys.exit(main())
